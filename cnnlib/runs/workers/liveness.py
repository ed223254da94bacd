"""Which workers are alive: each is a row, checked against the processes of its machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa

from cnnlib.runs.queue import BUSY_STATES, new_id
from cnnlib.runs.tables import jobs, runs, workers

SILENCE_SECONDS = 10.0  # a worker on another machine that says nothing for so long is dead
Clock = sa.ColumnElement[float] | float


def register(connection: sa.Connection, does: str, clock: Clock) -> str:
    """Enter this process as a worker for "runs" or "jobs"; returns the worker's id."""
    worker_id = new_id()
    _enter(connection, worker_id, does, clock)
    return worker_id


def _enter(connection: sa.Connection, worker_id: str, does: str, clock: Clock) -> None:
    values = {"host": platform.node(), "pid": os.getpid(), "birth": process_birth(os.getpid())}
    values |= {"id": worker_id, "does": does, "heartbeat": clock}
    connection.execute(sa.insert(workers).values(**values))


def refresh(connection: sa.Connection, worker_id: str, does: str, clock: Clock) -> None:
    """Say that this process, a worker for "runs" or "jobs", is alive.

    One that was taken for dead, because its machine slept or could not reach the database, is in
    the list again, and its run is lost no longer unless somebody has resumed it meanwhile.
    """
    update = sa.update(workers).where(workers.c.id == worker_id)
    if not connection.execute(update.values(heartbeat=clock)).rowcount:
        _enter(connection, worker_id, does, clock)
        its = sa.and_(runs.c.worker_id == worker_id, runs.c.state == "lost")
        connection.execute(sa.update(runs).where(its).values(**_AS_IT_WAS))


_AS_IT_WAS = {
    "state": sa.case((runs.c.phase.startswith("paused"), "paused"), else_="running"),
    "reason": "",
    "ended": None,
}


def unregister(connection: sa.Connection, worker_id: str) -> None:
    """Take a worker out of the list: its process ends in order."""
    connection.execute(sa.delete(workers).where(workers.c.id == worker_id))


def process_birth(pid: int) -> str | None:
    """What tells a process from a later one with the same number; None if there is none.

    A process that has ended and only waits for its parent to notice (a zombie) counts as gone. On
    Linux it is the boot and the tick of the start, which do not move when the clock is set.

    Raises:
        OSError, psutil.AccessDenied: It may be there, and cannot be looked at.
    """
    try:
        if Path("/proc/self/stat").exists():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            state, started = fields[0], fields[19]
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            return None if state in "ZX" else f"{boot}/{started}"
        process = psutil.Process(pid)
        gone = process.status() == psutil.STATUS_ZOMBIE
        return None if gone else f"{process.create_time():.2f}"
    except (FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
        return None


def has_dead_worker(connection: sa.Connection, clock: Clock) -> bool:
    """There is a dead worker to bury, or a run or a job whose worker is not in the list."""
    return bool(
        _dead_workers(connection, clock)
        or connection.execute(_ORPHANED_RUNS.limit(1)).first()
        or connection.execute(_ORPHANED_JOBS.limit(1)).first()
    )


def reap_dead_workers(connection: sa.Connection, clock: Clock, now: float) -> list[str]:
    """Take dead workers out of the list and end what they were at.

    Returns:
        The ids of the runs that are lost.
    """
    dead = {row.id: row for row in _dead_workers(connection, clock)}
    for worker_id in dead:
        unregister(connection, worker_id)
    ended: dict[str, Any] = {"ended": now}
    lost = connection.execute(_ORPHANED_RUNS).all()
    for run in lost:
        reason = (
            f"{_death_reason(dead.get(run.worker_id))} Everything up to step {run.step:,} is kept; "
            "resume it to go on from its last checkpoint."
        )
        values = ended | {
            "state": "lost",
            "reason": reason,
        }  # its phase tells `refresh` what it was
        still = sa.and_(runs.c.id == run.id, _IS_ORPHANED)
        connection.execute(sa.update(runs).where(still).values(**values))
    for job in connection.execute(_ORPHANED_JOBS).all():
        reason = f"{_death_reason(dead.get(job.worker_id))} Start it again."
        values = ended | {"state": "failed", "reason": reason, "eta_seconds": None}
        connection.execute(sa.update(jobs).where(jobs.c.id == job.id).values(**values))
    return [run.id for run in lost]


_KNOWN = sa.select(workers.c.id)
_IS_ORPHANED = sa.and_(runs.c.state.in_(BUSY_STATES), runs.c.worker_id.not_in(_KNOWN))
_ORPHANED_RUNS = sa.select(runs.c.id, runs.c.worker_id, runs.c.step).where(_IS_ORPHANED)
_ORPHANED_JOBS = sa.select(jobs.c.id, jobs.c.worker_id).where(
    jobs.c.state == "running", jobs.c.worker_id.not_in(_KNOWN)
)


def _dead_workers(connection: sa.Connection, clock: Clock) -> list[sa.Row[Any]]:
    """Workers whose process is gone, or that fell silent on another machine."""
    silence = (sa.literal(clock) if isinstance(clock, float) else clock) - workers.c.heartbeat
    rows = connection.execute(sa.select(workers, silence.label("silence"))).all()
    here = platform.node()
    return [row for row in rows if not _is_alive(row, here)]


def _is_alive(row: sa.Row[Any], here: str) -> bool:
    if row.host != here:
        return row.silence < SILENCE_SECONDS
    try:
        return process_birth(row.pid) == row.birth
    except (OSError, psutil.AccessDenied):  # this process has no file left to open, or no right
        return True


def _death_reason(worker: sa.Row[Any] | None) -> str:
    """How a worker ended, as far as it is known."""
    if worker is None:
        return "Its worker left without a word."
    if worker.host == platform.node():
        return (
            f"Its worker (process {worker.pid}) ended without a word: it was killed, or memory ran "
            "out."
        )
    return (
        f"Its worker on {worker.host} (process {worker.pid}) has said nothing for "
        f"{SILENCE_SECONDS:.0f} seconds."
    )

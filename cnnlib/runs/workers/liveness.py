"""Workers as rows: registered, with a heartbeat, and compared with the processes of the machine."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Literal

import psutil
import sqlalchemy as sa

from cnnlib.errors import StoreError
from cnnlib.runs.capacity import usable_cores
from cnnlib.runs.database import clock
from cnnlib.runs.queue import BUSY_STATES, new_id
from cnnlib.runs.tables import jobs, runs, workers

if TYPE_CHECKING:
    from cnnlib.runs.database import Database

HEARTBEAT_SECONDS = 3.0
SILENCE_SECONDS = 10.0  # a worker on another machine without a heartbeat is dead after this


class Workers:
    """The registered worker processes of a run store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def registered(self, does: Literal["runs", "jobs"]) -> Generator[str]:
        """Register this process as a worker and send heartbeats until the block exits.

        Yields:
            The worker's id, which it uses to claim runs or jobs.
        """
        worker_id, ended = self.register(does), Event()
        arguments = (worker_id, does, ended)
        thread = Thread(target=self._beat, args=arguments, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield worker_id
        finally:
            ended.set()
            thread.join()
            self.unregister(worker_id)

    def _beat(self, worker_id: str, does: str, ended: Event) -> None:
        """Send heartbeats until ``ended`` is set; print errors and retry at the next one."""
        while not ended.wait(HEARTBEAT_SECONDS):
            try:
                self.send_heartbeat(worker_id, does)
            except StoreError as error:
                print(error, file=sys.stderr, flush=True)

    def register(self, does: str = "runs") -> str:
        """Register this process as a worker for "runs" or "jobs" and return the worker's id."""
        worker_id = new_id()
        with self._database.write() as connection:
            _insert_worker(connection, worker_id, does)
        return worker_id

    def send_heartbeat(self, worker_id: str, does: str = "runs") -> None:
        """Record that this process, a worker for "runs" or "jobs", is alive.

        A worker that was taken for dead, because its machine slept or could not reach the
        database, is registered again. Its lost run gets its former state back, unless it has been
        resumed.
        """
        update = sa.update(workers).where(workers.c.id == worker_id)
        with self._database.write() as connection:
            if not connection.execute(update.values(heartbeat=clock(connection))).rowcount:
                _insert_worker(connection, worker_id, does)
                own_lost = sa.and_(runs.c.worker_id == worker_id, runs.c.state == "lost")
                connection.execute(sa.update(runs).where(own_lost).values(**_STATE_BEFORE_LOSS))

    def unregister(self, worker_id: str) -> None:
        """Remove a worker from the list, before its process exits; interrupt a run that it left."""
        left = sa.and_(runs.c.worker_id == worker_id, runs.c.state.in_(BUSY_STATES))
        with self._database.write() as connection:
            ended = sa.update(runs).where(left).values(state="interrupted", reason=_LEFT)
            connection.execute(ended)
            connection.execute(sa.delete(workers).where(workers.c.id == worker_id))

    def serve_runs_here(self) -> bool:
        """Return whether a worker for runs is registered on this machine."""
        return self._is_registered("runs", is_here=True)

    def serve_runs(self) -> bool:
        """Return whether a worker for runs is registered on any machine."""
        return self._is_registered("runs")

    def free_threads(self) -> int:
        """Return the threads that a run may use that is alone: a core stays with open pages."""
        return max(1, usable_cores() - self._is_registered("pages", is_here=True))

    def _is_registered(self, does: str, *, is_here: bool = False) -> bool:
        self.reap()
        wanted = sa.select(workers.c.id).where(workers.c.does == does)
        if is_here:
            wanted = wanted.where(workers.c.host == platform.node())
        with self._database.read() as connection:
            return connection.execute(wanted).first() is not None

    def reap(self) -> list[str]:
        """Remove dead workers and end their runs as "lost" and their jobs as "failed".

        Returns:
            The ids of the lost runs.
        """
        with self._database.read() as connection:
            if not _has_dead_worker(connection):
                return []
        with self._database.write() as connection:
            return _reap_dead_workers(connection)


def _insert_worker(connection: sa.Connection, worker_id: str, does: str) -> None:
    values = {"host": platform.node(), "pid": os.getpid(), "birth": process_birth(os.getpid())}
    values |= {"id": worker_id, "does": does, "heartbeat": clock(connection)}
    connection.execute(sa.insert(workers).values(**values))


_STATE_BEFORE_LOSS = {
    "state": sa.case((runs.c.phase.startswith("paused"), "paused"), else_="running"),
    "reason": "",
    "ended": None,
}
_LEFT = "The process that trained this run has ended. Resume the run from its last checkpoint."


def process_birth(pid: int) -> str | None:
    """A text that distinguishes a process from a later one with the same pid; None without process.

    A zombie, which has ended but was not yet waited for, counts as gone. On Linux the text consists
    of the boot id and the tick of the start, which do not change when the clock is set.

    Raises:
        OSError, psutil.AccessDenied: The process may exist and cannot be inspected.
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


def _has_dead_worker(connection: sa.Connection) -> bool:
    """Whether there is a dead worker, or a run or job at work without a registered worker."""
    return bool(
        _dead_workers(connection)
        or connection.execute(_ORPHANED_RUNS.limit(1)).first()
        or connection.execute(_ORPHANED_JOBS.limit(1)).first()
    )


def _reap_dead_workers(connection: sa.Connection) -> list[str]:
    dead = {row.id: row for row in _dead_workers(connection)}
    for worker_id in dead:
        connection.execute(sa.delete(workers).where(workers.c.id == worker_id))
    ended: dict[str, Any] = {"ended": clock(connection)}
    lost = connection.execute(_ORPHANED_RUNS).all()
    for run in lost:
        reason = (
            f"{_death_reason(dead.get(run.worker_id))} Steps up to {run.step:,} are saved. Resume "
            "the run to continue from its last checkpoint."
        )
        # `send_heartbeat` needs the phase unchanged.
        values = ended | {"state": "lost", "reason": reason}
        still_orphaned = sa.and_(runs.c.id == run.id, _IS_ORPHANED)
        connection.execute(sa.update(runs).where(still_orphaned).values(**values))
    for job in connection.execute(_ORPHANED_JOBS).all():
        reason = f"{_death_reason(dead.get(job.worker_id))} Start the job again."
        values = ended | {"state": "failed", "reason": reason, "eta_seconds": None}
        connection.execute(sa.update(jobs).where(jobs.c.id == job.id).values(**values))
    return [run.id for run in lost]


_KNOWN = sa.select(workers.c.id)
_IS_ORPHANED = sa.and_(runs.c.state.in_(BUSY_STATES), runs.c.worker_id.not_in(_KNOWN))
_ORPHANED_RUNS = sa.select(runs.c.id, runs.c.worker_id, runs.c.step).where(_IS_ORPHANED)
_ORPHANED_JOBS = sa.select(jobs.c.id, jobs.c.worker_id).where(
    jobs.c.state == "running", jobs.c.worker_id.not_in(_KNOWN)
)


def _dead_workers(connection: sa.Connection) -> list[sa.Row[Any]]:
    """Workers without a process, or on another machine and without recent heartbeats.

    While the database was down nobody could send one, so that its start counts as one.
    """
    heard: sa.ColumnElement[float] = workers.c.heartbeat
    if connection.dialect.name == "postgresql":
        started = sa.func.extract("epoch", sa.func.pg_postmaster_start_time())
        heard = sa.func.greatest(heard, started)
    silence = sa.cast(clock(connection) - heard, sa.Double)
    rows = connection.execute(sa.select(workers, silence.label("silence"))).all()
    here = platform.node()
    return [row for row in rows if not _is_alive(row, here)]


def _is_alive(row: sa.Row[Any], here: str) -> bool:
    if row.host != here:
        return row.silence < SILENCE_SECONDS
    try:
        return process_birth(row.pid) == row.birth
    except (OSError, psutil.AccessDenied):  # too many open files, or no permission
        return True


def _death_reason(worker: sa.Row[Any] | None) -> str:
    """A sentence about the end of a worker, as far as it is known."""
    if worker is None:
        return "Its worker ended unexpectedly."
    if worker.host == platform.node():
        return (
            f"Its worker (process {worker.pid}) ended unexpectedly: it was killed, or memory ran "
            "out."
        )
    return (
        f"Its worker on {worker.host} (process {worker.pid}) has not responded for "
        f"{SILENCE_SECONDS:.0f} seconds."
    )

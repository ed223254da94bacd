"""Jobs in the run store: asked for by a page, taken by a worker, watched until they are done."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cnnlib.errors import StoreError
from cnnlib.records.job import LIVE_JOB_STATES, Job, Progress
from cnnlib.runs.queue import new_id
from cnnlib.runs.rows import JOB_COLUMNS, job_from_row
from cnnlib.runs.tables import jobs

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def submit(connection: sa.Connection, kind: str, args: Mapping[str, Any], owner: str = "") -> str:
    """Ask for a job; the same one is not asked for twice.

    Returns:
        The id of a new job, or of one with the same kind and arguments that waits or is at work.
    """
    live = sa.select(jobs.c.id, jobs.c.args).where(
        jobs.c.kind == kind, jobs.c.state.in_(LIVE_JOB_STATES), ~jobs.c.stop_wanted
    )
    asked = _plain(args)
    for row in connection.execute(live):
        if row.args == asked:
            return row.id
    job_id = new_id()
    values = {"id": job_id, "kind": kind, "args": asked, "state": "queued", "created": time.time()}
    values["owner"] = owner
    connection.execute(sa.insert(jobs).values(**values))
    return job_id


def find(connection: sa.Connection, job_id: str) -> Job:
    """One job, or a sentence."""
    row = connection.execute(sa.select(*JOB_COLUMNS).where(jobs.c.id == job_id)).first()
    if row is None:
        raise StoreError(f"There is no job {job_id[:40]!r} in the run store. Start it again.")
    return job_from_row(row)


def find_latest(connection: sa.Connection, kind: str, args: Mapping[str, Any]) -> Job | None:
    """The newest job of a kind that was asked with these arguments, others aside."""
    asked = _plain(args).items()
    newest_first = sa.select(jobs.c.id, jobs.c.args).where(jobs.c.kind == kind)
    for row in connection.execute(newest_first.order_by(jobs.c.number.desc())):
        if asked <= row.args.items():
            return find(connection, row.id)
    return None


def find_all(connection: sa.Connection, states: Collection[str] | None) -> list[Job]:
    """Jobs, the newest first; all, or those in some states."""
    wanted = sa.select(*JOB_COLUMNS).order_by(jobs.c.number.desc())
    if states is not None:
        wanted = wanted.where(jobs.c.state.in_(states))
    return [job_from_row(row) for row in connection.execute(wanted)]


def stop(connection: sa.Connection, job_id: str) -> None:
    """End a waiting job at once and ask the worker of a running one to end it; harmless twice."""
    find(connection, job_id)
    its = jobs.c.id == job_id
    waiting = sa.update(jobs).where(its, jobs.c.state == "queued")
    connection.execute(waiting.values(state="stopped", ended=time.time()))
    running = sa.update(jobs).where(its, jobs.c.state == "running")
    connection.execute(running.values(stop_wanted=True))


def claim(connection: sa.Connection, worker_id: str) -> Job | None:
    """Give the next job to a worker."""
    waiting = sa.select(jobs.c.id).where(jobs.c.state == "queued").order_by(jobs.c.number).limit(1)
    job_id = connection.scalar(waiting.with_for_update(skip_locked=True))
    if job_id is None:
        return None
    values = {"state": "running", "worker_id": worker_id, "started": time.time()}
    connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(**values))
    return find(connection, job_id)


def report_progress(
    connection: sa.Connection,
    job_id: str,
    worker_id: str,
    progress: Progress,
    eta_seconds: float | None,
) -> bool:
    """Write down how far a job is.

    Returns:
        Whether it is to go on: False where somebody pressed Stop, or it is no longer this worker's.
    """
    own = sa.and_(jobs.c.id == job_id, jobs.c.worker_id == worker_id, jobs.c.state == "running")
    values = {"progress": progress.fraction, "text": progress.text, "eta_seconds": eta_seconds}
    changed = connection.execute(sa.update(jobs).where(own).values(**values)).rowcount
    return changed == 1 and not connection.scalar(sa.select(jobs.c.stop_wanted).where(own))


def end(
    connection: sa.Connection,
    job_id: str,
    worker_id: str,
    state: str,
    reason: str,
    result: Mapping[str, Any],
) -> None:
    """Write down how a job ended."""
    values = {"state": state, "reason": reason, "result": dict(result), "ended": time.time()}
    values |= {"eta_seconds": None} | ({"progress": 1.0} if state == "done" else {})
    own = sa.and_(jobs.c.id == job_id, jobs.c.worker_id == worker_id)
    connection.execute(sa.update(jobs).where(own).values(**values))


def forget(connection: sa.Connection, run_id: str) -> None:
    """Remove what jobs found about a run that is deleted; one at work says itself that it is."""
    about = sa.type_coerce(jobs.c.args, sa.Text).contains(f'"run":"{run_id}"', autoescape=True)
    connection.execute(sa.delete(jobs).where(about, jobs.c.state.not_in(LIVE_JOB_STATES)))


def _plain(args: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as they come back from the store: lists for tuples."""
    return json.loads(json.dumps(dict(args)))

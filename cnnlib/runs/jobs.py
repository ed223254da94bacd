"""Jobs in the run store: functions to submit, claim, update, stop and find them."""

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
from cnnlib.units import format_time, plural

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def submit(connection: sa.Connection, kind: str, args: Mapping[str, Any], owner: str = "") -> str:
    """Queue a job, unless an equal one is live.

    Returns:
        The id of the new job, or of the live one with the same kind and arguments.
    """
    live = sa.select(jobs.c.id, jobs.c.args).where(
        jobs.c.kind == kind, jobs.c.state.in_(LIVE_JOB_STATES), ~jobs.c.stop_wanted
    )
    plain_args = _to_plain_json(args)
    for row in connection.execute(live):
        if row.args == plain_args:
            return row.id
    job_id = new_id()
    values = {
        "id": job_id,
        "kind": kind,
        "args": plain_args,
        "state": "queued",
        "created": time.time(),
    }
    values["owner"] = owner
    connection.execute(sa.insert(jobs).values(**values))
    return job_id


def find(connection: sa.Connection, job_id: str) -> Job:
    """One job.

    Raises:
        StoreError: There is none with this id.
    """
    row = connection.execute(sa.select(*JOB_COLUMNS).where(jobs.c.id == job_id)).first()
    if row is None:
        raise StoreError(f"There is no job {job_id[:40]!r} in the run store. Start the job again.")
    return job_from_row(row)


def find_latest(connection: sa.Connection, kind: str, args: Mapping[str, Any]) -> Job | None:
    """The newest job of a kind that has these arguments, perhaps among others."""
    wanted = _to_plain_json(args).items()
    newest_first = sa.select(jobs.c.id, jobs.c.args).where(jobs.c.kind == kind)
    for row in connection.execute(newest_first.order_by(jobs.c.number.desc())):
        if wanted <= row.args.items():
            return find(connection, row.id)
    return None


def find_all(connection: sa.Connection, states: Collection[str] | None) -> list[Job]:
    """Jobs, the newest first; all, or those in some states."""
    wanted = sa.select(*JOB_COLUMNS).order_by(jobs.c.number.desc())
    if states is not None:
        wanted = wanted.where(jobs.c.state.in_(states))
    return [job_from_row(row) for row in connection.execute(wanted)]


def stop(connection: sa.Connection, job_id: str) -> None:
    """End a waiting job at once; mark a running one to be stopped by its worker."""
    find(connection, job_id)
    is_job = jobs.c.id == job_id
    waiting = sa.update(jobs).where(is_job, jobs.c.state == "queued")
    connection.execute(waiting.values(state="stopped", ended=time.time()))
    running = sa.update(jobs).where(is_job, jobs.c.state == "running")
    connection.execute(running.values(stop_wanted=True))


def wait_reason(connection: sa.Connection, job: Job) -> str:
    """Say what a queued job waits for, and how long as far as that is known."""
    number = sa.select(jobs.c.number).where(jobs.c.id == job.id).scalar_subquery()
    ahead = connection.execute(
        sa.select(jobs.c.state, jobs.c.eta_seconds).where(
            jobs.c.state.in_(LIVE_JOB_STATES), jobs.c.number < number
        )
    ).all()
    if not ahead:
        return "Waiting for a worker process to start"
    left = [row.eta_seconds for row in ahead if row.eta_seconds is not None]
    known = f"; the one in progress has about {format_time(max(left))} left" if left else ""
    return f"Waiting for {plural(len(ahead), 'other computation')}{known}"


def claim(connection: sa.Connection, worker_id: str) -> Job | None:
    """Assign the next job to a worker; returns None if none waits."""
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
    """Store the progress of a job.

    Returns:
        Whether to continue: False where Stop was pressed, or the job is no longer this worker's.
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
    """Store the end of a job: its state, reason and result."""
    values = {"state": state, "reason": reason, "result": dict(result), "ended": time.time()}
    values |= {"eta_seconds": None} | ({"progress": 1.0} if state == "done" else {})
    own = sa.and_(jobs.c.id == job_id, jobs.c.worker_id == worker_id)
    connection.execute(sa.update(jobs).where(own).values(**values))


def delete_jobs_of_run(connection: sa.Connection, run_id: str) -> None:
    """Delete the ended jobs about a deleted run; a live one fails by itself."""
    about = sa.type_coerce(jobs.c.args, sa.Text).contains(f'"run":"{run_id}"', autoescape=True)
    connection.execute(sa.delete(jobs).where(about, jobs.c.state.not_in(LIVE_JOB_STATES)))


def _to_plain_json(args: Mapping[str, Any]) -> dict[str, Any]:
    """Convert arguments to the form that the store returns: lists for tuples."""
    return json.loads(json.dumps(dict(args)))

"""The jobs of a run store: submitted, claimed, updated, stopped and found."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cnnlib.errors import StoreError
from cnnlib.records.job import LIVE_JOB_STATES, Job, Progress
from cnnlib.runs.access import limits, permissions
from cnnlib.runs.database import clock
from cnnlib.runs.queue import new_id
from cnnlib.runs.rows import JOB_COLUMNS, job_from_row
from cnnlib.runs.tables import jobs
from cnnlib.runs.workers.notifications import JOBS, notify
from cnnlib.units import format_time, plural

if TYPE_CHECKING:
    from cnnlib.runs.access.store_access import StoreAccess
    from cnnlib.runs.database import QueryWatch


class Jobs:
    """The jobs of a run store.

    Args:
        before_reading: Called by readers.

    Raises:
        StoreError: (all methods) The store cannot be read or written, or there is no such job.
        RightsError: (all methods that change something) It belongs to another person.
    """

    def __init__(self, store: StoreAccess, before_reading: Callable[[], None]) -> None:
        self._store = store
        self._before_reading = before_reading

    def submit(self, kind: str, args: Mapping[str, Any] | None = None) -> str:
        """Queue a job, unless an equal one is live.

        Returns:
            The id of the new job, or of the live one with the same kind and arguments.

        Raises:
            LimitError: The person has too many live jobs.
        """
        store, plain_args = self._store, _to_plain_json(args or {})
        live = sa.select(jobs.c.id, jobs.c.args).where(
            jobs.c.kind == kind, jobs.c.state.in_(LIVE_JOB_STATES), ~jobs.c.stop_wanted
        )
        with store.database.write() as connection:
            store.database.lock(connection)
            if store.person is not None:
                permissions.check_job(connection, store.person, kind, plain_args)
                limits.check_jobs(connection, store.owner, store.settings.person)
            for row in connection.execute(live):
                if row.args == plain_args:
                    return row.id
            job_id = new_id()
            values: dict[str, Any] = {"id": job_id, "kind": kind, "args": plain_args}
            values |= {"state": "queued", "created": clock(connection), "owner": store.owner}
            connection.execute(sa.insert(jobs).values(**values))
            notify(connection, JOBS)
        return job_id

    def find(self, job_id: str) -> Job:
        """One job as it is now."""
        self._before_reading()
        with self._store.database.read() as connection:
            return _find(connection, job_id)

    def latest(self, kind: str, args: Mapping[str, Any]) -> Job | None:
        """The newest job of a kind that has these arguments, perhaps among others.

        The results of other jobs are not read.
        """
        self._before_reading()
        wanted = _to_plain_json(args).items()
        newest_first = sa.select(jobs.c.id, jobs.c.args).where(jobs.c.kind == kind)
        with self._store.database.read() as connection:
            for row in connection.execute(newest_first.order_by(jobs.c.number.desc())):
                if wanted <= row.args.items():
                    return _find(connection, row.id)
        return None

    def all(self, states: Collection[str] | None = None) -> list[Job]:
        """Jobs, the newest first; all, or those in some states."""
        self._before_reading()
        wanted = sa.select(*JOB_COLUMNS).order_by(jobs.c.number.desc())
        if states is not None:
            wanted = wanted.where(jobs.c.state.in_(states))
        with self._store.database.read() as connection:
            return [job_from_row(row) for row in connection.execute(wanted)]

    def wait_reason(self, job: Job) -> str:
        """Say what a queued job waits for, and how long as far as that is known."""
        number = sa.select(jobs.c.number).where(jobs.c.id == job.id).scalar_subquery()
        before = sa.select(jobs.c.state, jobs.c.eta_seconds).where(
            jobs.c.state.in_(LIVE_JOB_STATES), jobs.c.number < number
        )
        with self._store.database.read() as connection:
            ahead = connection.execute(before).all()
        if not ahead:
            return "Waiting for a worker process to start"
        left = [row.eta_seconds for row in ahead if row.eta_seconds is not None]
        known = f"; the one in progress has about {format_time(max(left))} left" if left else ""
        return f"Waiting for {plural(len(ahead), 'other computation')}{known}"

    def stop(self, job_id: str) -> None:
        """End a waiting job at once; mark a running one to be stopped by its worker."""
        is_job = jobs.c.id == job_id
        waiting = sa.update(jobs).where(is_job, jobs.c.state == "queued")
        running = sa.update(jobs).where(is_job, jobs.c.state == "running")
        with self._store.database.write() as connection:
            self._store.check_may_change(_find(connection, job_id))
            connection.execute(waiting.values(state="stopped", ended=clock(connection)))
            connection.execute(running.values(stop_wanted=True))

    # -- for a worker ------------------------------------------------------------------------------

    def are_waiting(self) -> bool:
        """Whether a job waits."""
        with self._store.database.read() as connection:
            return connection.execute(_QUEUED).first() is not None

    def watch(self) -> QueryWatch:
        """A cheap function, for one thread, that returns whether a job waits."""
        return self._store.database.watch(_QUEUED, JOBS)

    def claim(self, worker_id: str) -> Job | None:
        """Assign the next job to a worker; returns None if none waits."""
        waiting = _QUEUED.with_only_columns(jobs.c.id).order_by(jobs.c.number)
        with self._store.database.write() as connection:
            job_id = connection.scalar(waiting.with_for_update(skip_locked=True))
            if job_id is None:
                return None
            values = {"state": "running", "worker_id": worker_id, "started": clock(connection)}
            connection.execute(sa.update(jobs).where(jobs.c.id == job_id).values(**values))
            return _find(connection, job_id)

    def claimed(self, worker_id: str) -> Job | None:
        """Return the job of an idle worker: it was claimed, and the answer was lost."""
        own = sa.and_(jobs.c.worker_id == worker_id, jobs.c.state == "running")
        with self._store.database.read() as connection:
            row = connection.execute(sa.select(*JOB_COLUMNS).where(own)).first()
            return None if row is None else job_from_row(row)

    def report_progress(
        self, job_id: str, worker_id: str, progress: Progress, eta_seconds: float | None = None
    ) -> bool:
        """Store the progress of a job.

        Returns:
            Whether to continue: False where Stop was pressed, or the job is no longer this
            worker's.
        """
        own = sa.and_(jobs.c.id == job_id, jobs.c.worker_id == worker_id, jobs.c.state == "running")
        values = {"progress": progress.fraction, "text": progress.text, "eta_seconds": eta_seconds}
        with self._store.database.write() as connection:
            changed = connection.execute(sa.update(jobs).where(own).values(**values)).rowcount
            return changed == 1 and not connection.scalar(sa.select(jobs.c.stop_wanted).where(own))

    def end(
        self,
        job_id: str,
        worker_id: str,
        state: str,
        reason: str = "",
        result: Mapping[str, Any] | None = None,
    ) -> None:
        """Store the end of a job: its state, reason and result."""
        values: dict[str, Any] = {"state": state, "reason": reason, "result": dict(result or {})}
        values |= {"progress": 1.0} if state == "done" else {}
        own = sa.and_(jobs.c.id == job_id, jobs.c.worker_id == worker_id)
        with self._store.database.write() as connection:
            values |= {"ended": clock(connection), "eta_seconds": None}
            connection.execute(sa.update(jobs).where(own).values(**values))


_QUEUED = sa.select(jobs.c.number).where(jobs.c.state == "queued").limit(1)


def delete_jobs_of_run(connection: sa.Connection, run_id: str) -> None:
    """Delete the ended jobs about a deleted run; a live one fails by itself."""
    about = sa.type_coerce(jobs.c.args, sa.Text).contains(f'"run":"{run_id}"', autoescape=True)
    connection.execute(sa.delete(jobs).where(about, jobs.c.state.not_in(LIVE_JOB_STATES)))


def _find(connection: sa.Connection, job_id: str) -> Job:
    row = connection.execute(sa.select(*JOB_COLUMNS).where(jobs.c.id == job_id)).first()
    if row is None:
        raise StoreError(f"There is no job {job_id[:40]!r} in the run store. Start the job again.")
    return job_from_row(row)


def _to_plain_json(args: Mapping[str, Any]) -> dict[str, Any]:
    """Convert arguments to the form that the store returns: lists for tuples."""
    return json.loads(json.dumps(dict(args)))

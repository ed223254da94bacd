"""The run store, through which the pages, the command line and the workers exchange data."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import sqlalchemy as sa

from cnnlib.errors import StoreError
from cnnlib.records import files
from cnnlib.records.folders import Folders
from cnnlib.records.run import Run, RunRequest
from cnnlib.records.settings import Settings
from cnnlib.runs import commands, event_writer, jobs, queue, rows
from cnnlib.runs.access import limits, permissions
from cnnlib.runs.database import Database
from cnnlib.runs.sketches import Sketches
from cnnlib.runs.summaries import count_rename
from cnnlib.runs.tables import epochs, interventions, runs, weights
from cnnlib.runs.tables import jobs as job_rows
from cnnlib.runs.workers import liveness

if TYPE_CHECKING:
    from cnnlib.records.events import (
        Command,
        EpochEnd,
        Event,
        Intervention,
        SplitResult,
        WeightsSaved,
    )
    from cnnlib.records.job import Job, Progress

QueryWatch = AbstractContextManager[Callable[[], bool]]
REAP_SECONDS = 1.0  # shortest time between two searches for dead workers by readers


class RunStore:
    """Runs and jobs with their recorded events, in a database and a folder of files.

    Safe to share between threads and cheap to keep. Opening it creates missing tables and folders.

    A new store acts for the operator and refuses nothing. The pages of a shared server use
    `on_behalf_of` to act for one person.

    Args:
        folders: Location of the store; None reads the environment variables.

    Raises:
        StoreError: (all methods) The store cannot be read or written, or there is no such run.
        RightsError: (all methods that change something) It belongs to another person.
        LimitError: (all methods that submit something) It exceeds the limits of one person.
    """

    def __init__(self, folders: Folders | None = None) -> None:
        self.folders = folders or Folders.from_environment()
        self.database = Database(self.folders)
        self.person: str | None = None
        self._reap_limit = _RateLimit(REAP_SECONDS)

    def close(self) -> None:
        """Close the database's connections."""
        self.database.close()

    @property
    def sketches(self) -> Sketches:
        """The runs of the Lab page."""
        return Sketches(self)

    # -- permissions -------------------------------------------------------------------------------

    def on_behalf_of(self, person: str) -> Self:
        """The same store with the rights of one person.

        What the person starts is limited and belongs to them; everything else is read-only.
        """
        person_store = copy.copy(self)
        person_store.person = person
        return person_store

    @cached_property
    def settings(self) -> Settings:
        """Settings for sharing this machine, read at the first access.

        Raises:
            SettingsError: The settings file cannot be read or is not valid.
        """
        return Settings.read(self.folders)

    @property
    def owner(self) -> str:
        """The owner of what is started through this store; "" is the operator."""
        return self.person or ""

    def may_change(self, owner: str) -> bool:
        """Whether the person of this store may change what belongs to ``owner``."""
        return permissions.may_change(self.person, owner)

    def check_may_change(self, thing: Run | Job) -> None:
        """Check that the person of this store may change a run or a job.

        Raises:
            RightsError: It belongs to another person.
        """
        what = "run" if isinstance(thing, Run) else "job"
        permissions.check(self.person, thing.owner, f"The {what} {thing.id}")

    def check_limits(
        self, connection: sa.Connection, owner: str, requests: Collection[RunRequest]
    ) -> None:
        """Check the number and the size of requested runs; the operator has no limits."""
        if owner:
            for request in requests:
                limits.check_request(request, self.settings.person)
                permissions.check_training_data(connection, self.person, request.dataset)
            limits.check_queue(connection, owner, len(requests), self.settings)
            limits.check_disk(connection, owner, 0, self.settings, self.folders.runs)

    # -- submitting runs ---------------------------------------------------------------------------

    def submit(
        self,
        request: RunRequest,
        plan_cost: Mapping[str, int] | None = None,
        now: bool = False,
        forecast: Mapping[str, Any] | None = None,
    ) -> str:
        """Put a run into the queue and return its id.

        Args:
            plan_cost: ``{"params": ..., "macs": ...}`` of the plan.
            now: Put it before all waiting runs.
            forecast: ``{"seconds_per_epoch": ...}`` if measured; used for the waiting times of the
                runs after it.
        """
        with self.database.write() as connection:
            self.check_limits(connection, self.owner, [request])
            return queue.submit(
                connection, request, plan_cost or {}, forecast or {}, now, self.owner
            )

    def submit_all(
        self,
        requests: Sequence[RunRequest],
        plan_cost: Mapping[str, int] | None = None,
        forecast: Mapping[str, Any] | None = None,
    ) -> list[str]:
        """Put runs of one study into the queue, all or none, and return their ids.

        Args:
            plan_cost, forecast: As in `submit`; the same for all runs.
        """
        with self.database.write() as connection:
            self.check_limits(connection, self.owner, requests)
            return [
                queue.submit(connection, request, plan_cost or {}, forecast or {}, owner=self.owner)
                for request in requests
            ]

    def submit_command(self, run_id: str, command: Command) -> int:
        """Send a command to a run.

        Returns:
            The command's id; 0 where it is ignored: the run has ended, or the command is "look" and
            the run has not begun.
        """
        with self.database.write() as connection:
            if command.kind != "look":
                self._check_run(connection, run_id)
            return commands.submit(connection, run_id, command, time.time())

    def resume(self, run_id: str) -> None:
        """Put an ended run back into the queue, to go on from its last checkpoint."""
        with self.database.write() as connection:
            run = self._check_run(connection, run_id)
            if self.person is not None:
                self.check_limits(connection, run.owner, [run.request])
            queue.resume(connection, run_id)

    def rename(self, run_id: str, name: str) -> None:
        """Rename a run; an empty name restores the name of its design."""
        with self.database.write() as connection:
            self.database.lock(connection)
            request = replace(self._check_run(connection, run_id).request, name=name)
            update = sa.update(runs).where(runs.c.id == run_id)
            connection.execute(update.values(request=request.to_dict()))
            count_rename(connection)

    def delete(self, run_id: str) -> None:
        """Remove an ended run with its files; a live one raises StoreError."""
        with self.database.write() as connection:
            self._check_deletable(connection, run_id)
            files.remove_folder(self.folders.run(run_id))
            event_writer.erase(connection, run_id)
            jobs.delete_jobs_of_run(connection, run_id)

    def check_deletable(self, run_id: str) -> None:
        """Raise `StoreError` for a run that is live or missing, or `RightsError` for another's."""
        with self.database.read() as connection:
            self._check_deletable(connection, run_id)

    def _check_deletable(self, connection: sa.Connection, run_id: str) -> None:
        run = self._check_run(connection, run_id)
        if run.is_live:
            raise StoreError(
                f"The run {run_id} is {run.state} and cannot be deleted. Stop it first."
            )

    def _check_run(self, connection: sa.Connection, run_id: str) -> Run:
        """One run, after the check that the person of this store may change it."""
        run = rows.find_run(connection, run_id)
        self.check_may_change(run)
        return run

    # -- reading -----------------------------------------------------------------------------------

    def run(self, run_id: str) -> Run:
        """One run as it is now."""
        self.reap_if_due()
        with self.database.read() as connection:
            return rows.find_run(connection, run_id)

    def runs(
        self,
        limit: int | None = None,
        states: Collection[str] | None = None,
        group: str | None = None,
    ) -> list[Run]:
        """Runs, the newest first; all, or those in some states or of one group; no sketches."""
        self.reap_if_due()
        wanted = sa.select(*rows.RUN_COLUMNS).where(queue.IS_RECORDED)
        wanted = wanted.order_by(runs.c.number.desc()).limit(limit)
        if states is not None:
            wanted = wanted.where(runs.c.state.in_(states))
        if group is not None:
            wanted = wanted.where(runs.c.group_name == group)
        with self.database.read() as connection:
            return [rows.run_from_row(row) for row in connection.execute(wanted)]

    def position(self, run_id: str) -> int | None:
        """Place in the queue: 1 is next; None for a run that does not wait."""
        with self.database.read() as connection:
            return queue.position(connection, run_id)

    def wait_seconds(self, run_id: str) -> float | None:
        """Forecast until a queued run begins; None where it is not known."""
        with self.database.read() as connection:
            return queue.wait_seconds(connection, run_id)

    def steps_after(self, run_id: str, step: int = 0, limit: int = 5000) -> dict[str, list[Any]]:
        """Metrics of the steps after ``step``, as columns; None where not finite."""
        with self.database.read() as connection:
            return rows.step_columns(connection, run_id, step, limit)

    def sampled_steps(self, run_id: str, count: int = 600) -> dict[str, list[Any]]:
        """The first steps and an even sample of the others, in the form of `steps_after`.

        The cost does not depend on the length of the run.
        """
        with self.database.read() as connection:
            return rows.sampled_step_columns(connection, run_id, count)

    def epochs(self, run_id: str, after: int = 0, confusions: bool = True) -> list[EpochEnd]:
        """The epochs after number ``after``; their confusion counts may be left out."""
        counts = epochs.c.val_confusion if confusions else sa.null().label("val_confusion")
        wanted = sa.select(epochs.c.body, counts).where(
            epochs.c.run_id == run_id, epochs.c.epoch > after
        )
        with self.database.read() as connection:
            found = connection.execute(wanted.order_by(epochs.c.epoch))
            return [rows.epoch_from_row(row) for row in found]

    def interventions(self, run_id: str) -> list[Intervention]:
        """Commands that were executed during the run, in order."""
        wanted = sa.select(interventions).where(interventions.c.run_id == run_id)
        with self.database.read() as connection:
            found = connection.execute(wanted.order_by(interventions.c.number))
            return [rows.intervention_from_row(row) for row in found]

    def saved_weights(self, run_id: str) -> list[WeightsSaved]:
        """The weights that are still on disk, by step."""
        wanted = sa.select(weights).where(weights.c.run_id == run_id)
        with self.database.read() as connection:
            found = connection.execute(wanted.order_by(weights.c.step, weights.c.file))
            known = [rows.weights_from_row(row) for row in found]
        return [saved for saved in known if (self.folders.run(run_id) / saved.file).exists()]

    def result(self, run_id: str) -> SplitResult | None:
        """The result on the test split; None until it was measured."""
        with self.database.read() as connection:
            found = connection.execute(sa.select(runs.c.result).where(runs.c.id == run_id)).first()
        if found is None:
            raise rows.unknown_run(run_id)
        return rows.result_from_json(found.result)

    # -- workers -----------------------------------------------------------------------------------

    def register_worker(self, does: str = "runs") -> str:
        """Register this process as a worker for "runs" or "jobs" and return its worker id."""
        with self.database.write() as connection:
            return liveness.register(connection, does, self.database.clock())

    def send_heartbeat(self, worker_id: str, does: str = "runs") -> None:
        """Record that this worker is alive; register it again if it was taken for dead."""
        with self.database.write() as connection:
            liveness.refresh(connection, worker_id, does, self.database.clock())

    def unregister_worker(self, worker_id: str) -> None:
        """Remove a worker from the list."""
        with self.database.write() as connection:
            liveness.unregister(connection, worker_id)

    def watch_queue(self, does: Literal["runs", "jobs"]) -> QueryWatch:
        """A cheap function, for one thread, that returns whether runs or jobs wait."""
        return self.database.watch(_QUEUED[does])

    def can_claim(self, worker_id: str, at_once: int | None = None) -> bool:
        """Whether a run waits and the machine has room for it; a read-only check before a claim.

        Dead workers are reaped first, so that their runs take no room.
        """
        self.reap_if_due()
        with self.database.read() as connection:
            waiting = connection.execute(_QUEUED["runs"]).first() is not None
            return waiting and queue.has_room(connection, worker_id, at_once)

    def claim(
        self, worker_id: str, run_id: str | None = None, at_once: int | None = None
    ) -> Run | None:
        """Claim the next run, or the named one; no run is ever claimed by two workers.

        Args:
            at_once: Most runs at work on this machine at once; None is no limit.
        """
        with self.database.write() as connection:
            self.database.lock(connection)
            return queue.claim(connection, worker_id, run_id, at_once)

    def rewind(self, run: Run, step: int) -> None:
        """Remove what a run recorded after ``step``, where it continues from a checkpoint.

        Args:
            run: The run as its worker claimed it.

        Raises:
            RunReassigned: It was resumed again since then.
        """
        with self.database.write() as connection:
            stale = event_writer.rewind(connection, run.id, run.attempt, step)
        files.remove_files(self.folders.run(run.id), stale)

    def record_events(self, run_id: str, worker_id: str, events: Sequence[Event]) -> list[Command]:
        """Write the events of a run and fetch its new commands, in one transaction.

        Raises:
            RunReassigned: The run is no longer this worker's.
        """
        with self.database.write() as connection:
            event_writer.record(connection, run_id, worker_id, events, time.time())
            return commands.take(connection, run_id)

    def watch_commands(self, run_id: str) -> QueryWatch:
        """A cheap function, for one thread, that returns whether commands wait for a run."""
        return self.database.watch(commands.pending(run_id))

    def reap(self) -> list[str]:
        """End the runs of dead workers as "lost" and return their ids."""
        clock = self.database.clock()
        with self.database.read() as connection:
            if not liveness.has_dead_worker(connection, clock):
                return []
        with self.database.write() as connection:
            return liveness.reap_dead_workers(connection, clock, time.time())

    def reap_if_due(self) -> None:
        """Reap dead workers and abandoned sketches, unless that was done a moment ago.

        Called by all readers.
        """
        if self._reap_limit.is_due():
            self.reap()
            self.sketches.remove_abandoned()

    # -- jobs --------------------------------------------------------------------------------------

    def submit_job(self, kind: str, args: Mapping[str, Any] | None = None) -> str:
        """Queue a job and return its id; an equal job that is live is used instead."""
        with self.database.write() as connection:
            self.database.lock(connection)
            if self.person is not None:
                permissions.check_job(connection, self.person, kind, args or {})
                limits.check_jobs(connection, self.owner, self.settings.person)
            return jobs.submit(connection, kind, args or {}, self.owner)

    def job(self, job_id: str) -> Job:
        """One job as it is now."""
        self.reap_if_due()
        with self.database.read() as connection:
            return jobs.find(connection, job_id)

    def job_wait_reason(self, job: Job) -> str:
        """What a queued job waits for, and how long as far as that is known."""
        with self.database.read() as connection:
            return jobs.wait_reason(connection, job)

    def latest_job(self, kind: str, args: Mapping[str, Any]) -> Job | None:
        """The newest job of a kind that has these arguments, perhaps among others.

        The results of other jobs are not read.
        """
        self.reap_if_due()
        with self.database.read() as connection:
            return jobs.find_latest(connection, kind, args)

    def jobs(self, states: Collection[str] | None = None) -> list[Job]:
        """Jobs, the newest first."""
        self.reap_if_due()
        with self.database.read() as connection:
            return jobs.find_all(connection, states)

    def stop_job(self, job_id: str) -> None:
        """Stop a job; an ended one stays as it is."""
        with self.database.write() as connection:
            self.check_may_change(jobs.find(connection, job_id))
            jobs.stop(connection, job_id)

    def has_queued_run(self) -> bool:
        """Whether a run waits; sketches do not count."""
        query = _QUEUED["runs"].where(queue.IS_RECORDED)
        with self.database.read() as connection:
            return connection.execute(query).first() is not None

    def has_queued_job(self) -> bool:
        """Whether a job waits."""
        with self.database.read() as connection:
            return connection.execute(_QUEUED["jobs"]).first() is not None

    def claim_job(self, worker_id: str) -> Job | None:
        """Claim the next job; None if none waits."""
        with self.database.write() as connection:
            return jobs.claim(connection, worker_id)

    def report_progress(
        self, job_id: str, worker_id: str, progress: Progress, eta_seconds: float | None = None
    ) -> bool:
        """Store the progress of a job; returns False if the job must end."""
        with self.database.write() as connection:
            return jobs.report_progress(connection, job_id, worker_id, progress, eta_seconds)

    def end_job(
        self,
        job_id: str,
        worker_id: str,
        state: str,
        reason: str = "",
        result: Mapping[str, Any] | None = None,
    ) -> None:
        """Store the end of a job: its state, reason and result."""
        with self.database.write() as connection:
            jobs.end(connection, job_id, worker_id, state, reason, result or {})


_QUEUED = {
    "runs": sa.select(runs.c.number).where(runs.c.state == "queued").limit(1),
    "jobs": sa.select(job_rows.c.number).where(job_rows.c.state == "queued").limit(1),
}


class _RateLimit:
    """A limit on how often something is done; safe to share between threads."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._last = -seconds

    def is_due(self) -> bool:
        """Whether the last time was at least ``seconds`` ago; if so, start the next interval."""
        with self._lock:
            if time.monotonic() - self._last < self._seconds:
                return False
            self._last = time.monotonic()
            return True

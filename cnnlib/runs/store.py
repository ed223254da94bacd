"""The run store: the only door between the pages, the command line and the workers."""

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
from cnnlib.runs import (
    commands,
    event_writer,
    jobs,
    limits,
    permissions,
    queue,
    rows,
)
from cnnlib.runs.database import Database
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

Watching = AbstractContextManager[Callable[[], bool]]
REAP_SECONDS = 1.0  # readers look for dead workers at most so often


class RunStore:
    """Runs and jobs with everything that they told, in a database and a folder of files.

    Safe to share between threads and cheap to keep. Opening it creates what is missing.

    It is the operator's: nothing is refused. A page of a server that is shared uses it
    `on_behalf_of` somebody.

    Args:
        folders: Where it is; None asks the environment.

    Raises:
        StoreError: (all methods) The store cannot be read or written, or there is no such run.
        RightsError: (all methods that change something) It belongs to somebody else.
        LimitError: (all methods that ask for something) It is more than one person may ask for.
    """

    def __init__(self, folders: Folders | None = None) -> None:
        self.folders = folders or Folders.from_environment()
        self.database = Database(self.folders)
        self.person: str | None = None
        self._look = _NowAndThen(REAP_SECONDS)

    def close(self) -> None:
        """Give the database's connections back."""
        self.database.close()

    # -- who asks ----------------------------------------------------------------------------------

    def on_behalf_of(self, person: str) -> Self:
        """The same store, as one person may use it: what they start is theirs and limited, and what
        is not theirs they only look at.
        """
        theirs = copy.copy(self)
        theirs.person = person
        return theirs

    @cached_property
    def settings(self) -> Settings:
        """How this machine is shared, as it was set when that was first asked for.

        Raises:
            SettingsError: The file of settings cannot be understood.
        """
        return Settings.read(self.folders)

    @property
    def owner(self) -> str:
        """Whose the things are that are started through this store; "" is the operator."""
        return self.person or ""

    def may_change(self, owner: str) -> bool:
        """Who asks may change what belongs to ``owner``."""
        return permissions.may_change(self.person, owner)

    def check_may_change(self, thing: Run | Job) -> None:
        """Refuse to change what is somebody else's."""
        what = "run" if isinstance(thing, Run) else "job"
        permissions.check(self.person, thing.owner, f"The {what} {thing.id}")

    def check_limits(
        self, connection: sa.Connection, owner: str, requests: Collection[RunRequest]
    ) -> None:
        """Runs that a person asks for are few and small enough; the operator's always are."""
        if owner:
            for request in requests:
                limits.check_request(request, self.settings.person)
            limits.check_queue(connection, owner, len(requests), self.settings)
            limits.check_disk(connection, owner, 0, self.settings, self.folders.runs)

    # -- asking for runs ---------------------------------------------------------------------------

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
            now: Put it before all that wait.
            forecast: ``{"seconds_per_epoch": ...}`` where it was measured; it tells those behind
                how long they wait.
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
        """Put runs of one plan into the queue, all or none, and return their ids.

        Args:
            plan_cost, forecast: Of each of them, as `submit` takes them.
        """
        with self.database.write() as connection:
            self.check_limits(connection, self.owner, requests)
            return [
                queue.submit(connection, request, plan_cost or {}, forecast or {}, owner=self.owner)
                for request in requests
            ]

    def submit_command(self, run_id: str, order: Command) -> int:
        """Tell a run what a person wants of it.

        Returns:
            The order's id; 0 where the run had ended already and there was nothing to do.
        """
        with self.database.write() as connection:
            if order.kind != "look":
                self._check_run(connection, run_id)
            return commands.submit(connection, run_id, order, time.time())

    def resume(self, run_id: str) -> None:
        """Put an ended run back into the queue, to go on from its last checkpoint."""
        with self.database.write() as connection:
            run = self._check_run(connection, run_id)
            if self.person is not None:
                self.check_limits(connection, run.owner, [run.request])
            queue.resume(connection, run_id)

    def rename(self, run_id: str, name: str) -> None:
        """Give a run another name; an empty one brings back the name of its design."""
        with self.database.write() as connection:
            self.database.lock(connection)
            request = replace(self._check_run(connection, run_id).request, name=name)
            update = sa.update(runs).where(runs.c.id == run_id)
            connection.execute(update.values(request=request.to_dict()))
            count_rename(connection)

    def delete(self, run_id: str) -> None:
        """Remove a run with its files; one that waits or runs is refused."""
        with self.database.write() as connection:
            run = self._check_run(connection, run_id)
            if run.is_live:
                raise StoreError(
                    f"The run {run_id} is {run.state} and cannot be deleted. Stop it first."
                )
            files.remove_folder(self.folders.run(run_id))
            event_writer.erase(connection, run_id)
            jobs.forget(connection, run_id)

    def _check_run(self, connection: sa.Connection, run_id: str) -> Run:
        """A run that who asks may change."""
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
        """Runs, the newest first; all, or those in some states or of one group."""
        self.reap_if_due()
        wanted = sa.select(*rows.RUN_COLUMNS).order_by(runs.c.number.desc()).limit(limit)
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
        """What was told about the steps after ``step``, as columns; None where not finite."""
        with self.database.read() as connection:
            return rows.step_columns(connection, run_id, step, limit)

    def sampled_steps(self, run_id: str, count: int = 600) -> dict[str, list[Any]]:
        """The first steps and an even sample of the others, as `steps_after` gives them.

        However long the run is, this costs the same.
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
        """What people changed while it ran, in the order in which they did."""
        wanted = sa.select(interventions).where(interventions.c.run_id == run_id)
        with self.database.read() as connection:
            found = connection.execute(wanted.order_by(interventions.c.number))
            return [rows.intervention_from_row(row) for row in found]

    def saved_weights(self, run_id: str) -> list[WeightsSaved]:
        """The weights that still lie on disk, by step."""
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
        """Enter this process as a worker for "runs" or "jobs"; returns its worker id."""
        with self.database.write() as connection:
            return liveness.register(connection, does, self.database.clock())

    def send_heartbeat(self, worker_id: str, does: str = "runs") -> None:
        """Say that this process, a worker, is alive; one that was taken for dead is back."""
        with self.database.write() as connection:
            liveness.refresh(connection, worker_id, does, self.database.clock())

    def unregister_worker(self, worker_id: str) -> None:
        """Take a worker out of the list."""
        with self.database.write() as connection:
            liveness.unregister(connection, worker_id)

    def watch_queue(self, does: Literal["runs", "jobs"]) -> Watching:
        """A function that says whether runs, or jobs, wait; for one thread, often and cheaply."""
        return self.database.looking(_QUEUED[does])

    def can_claim(self, worker_id: str, at_once: int | None = None) -> bool:
        """Some run waits, and there is room for it: a look before a claim.

        A run whose worker died takes no room, though nobody else looks.
        """
        self.reap_if_due()
        with self.database.read() as connection:
            waiting = connection.execute(_QUEUED["runs"]).first() is not None
            return waiting and queue.has_room(connection, worker_id, at_once)

    def claim(
        self, worker_id: str, run_id: str | None = None, at_once: int | None = None
    ) -> Run | None:
        """Take the next run, or the one named; no run is ever given to two workers.

        Args:
            at_once: Take none while so many are at work on this machine; None is no limit.
        """
        with self.database.write() as connection:
            self.database.lock(connection)
            return queue.claim(connection, worker_id, run_id, at_once)

    def rewind(self, run: Run, step: int) -> None:
        """Forget what a run told after ``step``, because it goes on from a checkpoint there.

        Args:
            run: As its worker claimed it.

        Raises:
            RunTakenAway: Somebody has resumed it since then.
        """
        with self.database.write() as connection:
            stale = event_writer.rewind(connection, run.id, run.attempt, step)
        files.remove_files(self.folders.run(run.id), stale)

    def record_events(self, run_id: str, worker_id: str, events: Sequence[Event]) -> list[Command]:
        """Write down what a run told, and fetch new orders: one transaction.

        Raises:
            RunTakenAway: The run is no longer this worker's.
        """
        with self.database.write() as connection:
            event_writer.record(connection, run_id, worker_id, events, time.time())
            return commands.take(connection, run_id)

    def watch_commands(self, run_id: str) -> Watching:
        """A function that says whether orders wait for a run, for one thread, often and cheaply."""
        return self.database.looking(commands.pending(run_id))

    def reap(self) -> list[str]:
        """Find runs whose worker is dead and end them as "lost"; returns their ids."""
        clock = self.database.clock()
        with self.database.read() as connection:
            if not liveness.has_dead_worker(connection, clock):
                return []
        with self.database.write() as connection:
            return liveness.reap_dead_workers(connection, clock, time.time())

    def reap_if_due(self) -> None:
        """What readers call, so that no run is shown as running long after its worker died."""
        if self._look.is_due():
            self.reap()

    # -- jobs --------------------------------------------------------------------------------------

    def submit_job(self, kind: str, args: Mapping[str, Any] | None = None) -> str:
        """Ask for a job and return its id; one that waits or is at work is not doubled."""
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

    def latest_job(self, kind: str, args: Mapping[str, Any]) -> Job | None:
        """The newest job of a kind of whose arguments these are some, or all.

        What other jobs found is not read, however many there were.
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
        """End a job; harmless where it has ended already."""
        with self.database.write() as connection:
            self.check_may_change(jobs.find(connection, job_id))
            jobs.stop(connection, job_id)

    def has_queued_run(self) -> bool:
        """Some run waits."""
        with self.database.read() as connection:
            return connection.execute(_QUEUED["runs"]).first() is not None

    def has_queued_job(self) -> bool:
        """Some job waits."""
        with self.database.read() as connection:
            return connection.execute(_QUEUED["jobs"]).first() is not None

    def claim_job(self, worker_id: str) -> Job | None:
        """Take the next job."""
        with self.database.write() as connection:
            return jobs.claim(connection, worker_id)

    def report_progress(
        self, job_id: str, worker_id: str, progress: Progress, eta_seconds: float | None = None
    ) -> bool:
        """Write down how far a job is; False where it is to end."""
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
        """Write down how a job ended."""
        with self.database.write() as connection:
            jobs.end(connection, job_id, worker_id, state, reason, result or {})


_QUEUED = {
    "runs": sa.select(runs.c.number).where(runs.c.state == "queued").limit(1),
    "jobs": sa.select(job_rows.c.number).where(job_rows.c.state == "queued").limit(1),
}


class _NowAndThen:
    """Says at most so often that something is due; safe to share between threads."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._turn = threading.Lock()
        self._last = -seconds

    def is_due(self) -> bool:
        """The last time is long enough ago; if so, this is the new last time."""
        with self._turn:
            if time.monotonic() - self._last < self._seconds:
                return False
            self._last = time.monotonic()
            return True

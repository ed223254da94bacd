"""The run store, through which the pages, the command line and the workers exchange data."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cnnlib.errors import FilesUnreachable, StoreError
from cnnlib.records.folders import run_key, run_prefix
from cnnlib.records.stored.folder_files import FolderFiles
from cnnlib.runs import commands, event_writer, queue, rows
from cnnlib.runs.access.store_access import StoreAccess
from cnnlib.runs.database import CONNECTIONS, CommitUnknown
from cnnlib.runs.jobs import Jobs, delete_jobs_of_run
from cnnlib.runs.rate_limit import RateLimit
from cnnlib.runs.sketches import Sketches
from cnnlib.runs.summaries import count_rename
from cnnlib.runs.tables import epochs, interventions, runs, weights, workers
from cnnlib.runs.workers.liveness import Workers
from cnnlib.runs.workers.notifications import RUNS, notify

if TYPE_CHECKING:
    from cnnlib.records.events import (
        Command,
        EpochEnd,
        Event,
        Intervention,
        SplitResult,
        WeightsSaved,
    )
    from cnnlib.records.folders import Folders
    from cnnlib.records.run import Run, RunRequest
    from cnnlib.runs.capacity import Capacity
    from cnnlib.runs.database import QueryWatch

REAP_SECONDS = 1.0  # shortest time between two searches for dead workers by readers


class RunStore(StoreAccess):
    """Runs and jobs with their recorded events, in a database and a folder of files.

    Safe to share between threads and cheap to keep. Opening it creates missing tables and folders.

    A new store acts for the operator and refuses nothing. The pages of a shared server use
    `on_behalf_of` to act for one person.

    Args:
        folders: Location of the store; None reads the environment variables.
        connections: Most connections to PostgreSQL at once; see `Database`.

    Raises:
        StoreError: (all methods) The store cannot be read or written, or there is no such run.
        RightsError: (all methods that change something) It belongs to another person.
        LimitError: (all methods that submit something) It exceeds the limits of one person.
    """

    def __init__(self, folders: Folders | None = None, connections: int = CONNECTIONS) -> None:
        super().__init__(folders, connections)
        self._reap_limit = RateLimit(REAP_SECONDS)
        self.ended_runs = rows.EndedRuns()  # of the study that was advanced last

    @property
    def sketches(self) -> Sketches:
        """The runs of the Lab page."""
        return Sketches(self)

    @property
    def jobs(self) -> Jobs:
        """The jobs, which workers execute beside the runs."""
        return Jobs(self, self.reap_if_due)

    @property
    def workers(self) -> Workers:
        """The registered worker processes."""
        return Workers(self.database)

    # -- submitting runs ---------------------------------------------------------------------------

    def submit(
        self, request: RunRequest, *, now: bool = False, forecast: Mapping[str, Any] | None = None
    ) -> str:
        """Put a run into the queue and return its id; see `submit_all`."""
        return self.submit_all([request], now=now, forecast=forecast)[0]

    def submit_all(
        self,
        requests: Sequence[RunRequest],
        *,
        now: bool = False,
        forecast: Mapping[str, Any] | None = None,
    ) -> list[str]:
        """Put runs into the queue, all or none, and return their ids in the order of the requests.

        Args:
            now: Put them before all waiting runs.
            forecast: ``{"seconds_per_epoch": ...}`` of each if measured; used for the waiting times
                of the runs after it.
        """
        in_order = requests[::-1] if now else requests  # each that is urgent is put first
        run_ids: list[str] = []
        try:
            with self.database.write() as connection:
                self.check_limits(connection, self.owner, requests)
                for request in in_order:
                    forecasts = forecast or {}
                    run_ids.append(
                        queue.submit(connection, request, forecasts, first=now, owner=self.owner)
                    )
                notify(connection, RUNS)
        except CommitUnknown as error:
            own = sa.select(runs.c.id).where(runs.c.id.in_(run_ids))
            self.database.check_committed(error, own)
        return run_ids[::-1] if now else run_ids

    def submit_command(self, run_id: str, command: Command) -> int:
        """Send a command to a run.

        Returns:
            The command's id; 0 where it is ignored: the run has ended, or the command is "look" and
            the run has not begun.
        """
        with self.database.write() as connection:
            if command.kind != "look":
                self._check_run(connection, run_id)
            return commands.submit(connection, run_id, command)

    def resume(self, run_id: str) -> None:
        """Put an ended run back into the queue, to go on from its last checkpoint."""
        with self.database.write() as connection:
            run = self._check_run(connection, run_id)
            if self.person is not None:
                self.check_limits(connection, run.owner, [run.request])
            queue.resume(connection, run_id)

    def resume_lost(self, most_attempts: int) -> None:
        """Put all lost runs back into the queue that have begun less often than this.

        Several processes may do so at once: each run goes on once.
        """
        with self.database.read() as connection:
            if connection.execute(queue.lost_runs(most_attempts).limit(1)).first() is None:
                return
        with self.database.write() as connection:
            queue.resume_lost(connection, most_attempts)

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
            self.files.remove([run_prefix(run_id)])
            event_writer.erase(connection, run_id)
            delete_jobs_of_run(connection, run_id)

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
        dataset: str | None = None,
        *,
        from_scratch: bool = False,
    ) -> list[Run]:
        """Runs, the newest first; all, or those in some states, of a group or dataset; no sketches.

        Args:
            from_scratch: Only those that did not begin with the weights of another run.
        """
        self.reap_if_due()
        wanted = sa.select(*rows.RUN_COLUMNS).where(queue.IS_RECORDED)
        wanted = wanted.order_by(runs.c.number.desc()).limit(limit)
        if states is not None:
            wanted = wanted.where(runs.c.state.in_(states))
        if group is not None:
            wanted = wanted.where(runs.c.group_name == group)
        if dataset is not None:
            wanted = wanted.where(rows.has_in_request("dataset", dataset))
        if from_scratch:
            wanted = wanted.where(rows.has_in_request("origin", None))
        with self.database.read() as connection:
            return [rows.run_from_row(row) for row in connection.execute(wanted)]

    def position(self, run_id: str) -> int | None:
        """Place in the queue: 1 is next; None for a run that does not wait."""
        with self.database.read() as connection:
            return queue.position(connection, run_id)

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
        """The weights that are still stored, by step."""
        wanted = sa.select(weights).where(weights.c.run_id == run_id)
        with self.database.read() as connection:
            found = connection.execute(wanted.order_by(weights.c.step, weights.c.file))
            known = [rows.weights_from_row(row) for row in found]
        if not isinstance(self.files, FolderFiles):  # a row is written after its upload
            return known
        return [saved for saved in known if self.files.has(run_key(run_id, saved.file))]

    def weights_file(self, run_id: str, saved: WeightsSaved) -> Path:
        """Return a local file with saved weights, after its download where they are not here.

        Raises:
            FileMissing: It was deleted meanwhile.
            FilesUnreachable: The files of the store cannot be reached.
        """
        key = run_key(run_id, saved.file)
        path = self.files.fetch(key)
        is_rewritten = saved.what == "latest" and self.files.is_remote
        if is_rewritten and _step_of_file(path) < saved.step:  # object stores tell seconds alone
            self.files.copy_to(key, path)
        return path

    def file(self, run_id: str, name: str) -> Path:
        """Return another local file of a run; see `weights_file`."""
        return self.files.fetch(run_key(run_id, name), refresh=True)

    def result(self, run_id: str) -> SplitResult | None:
        """The result on the test split; None until it was measured."""
        with self.database.read() as connection:
            found = connection.execute(sa.select(runs.c.result).where(runs.c.id == run_id)).first()
        if found is None:
            raise rows.unknown_run(run_id)
        return rows.result_from_json(found.result)

    # -- workers -----------------------------------------------------------------------------------

    def watch_queue(self) -> QueryWatch:
        """A cheap function, for one thread, that returns whether a run waits."""
        return self.database.watch(_QUEUED, RUNS)

    def next_with_room(self, worker_id: str, capacity: Capacity | None = None) -> str | None:
        """Return the id of the next run, if this machine has room for it; read before a claim.

        Dead workers are reaped first, so that their runs take no room.
        """
        self.reap_if_due()
        with self.database.read() as connection:
            return queue.next_with_room(connection, worker_id, capacity)

    def claim(
        self, worker_id: str, run_id: str | None = None, capacity: Capacity | None = None
    ) -> Run | None:
        """Claim the next run, or the named one; no run is ever claimed by two workers.

        Args:
            capacity: Of this machine; None ignores what else trains on it.
        """
        with self.database.write() as connection:
            self.database.lock(connection)
            return queue.claim(connection, worker_id, run_id, capacity)

    def claimed(self, worker_id: str) -> Run | None:
        """Return the run of an idle worker: it was claimed, and the answer was lost."""
        own = sa.and_(runs.c.worker_id == worker_id, runs.c.state.in_(queue.BUSY_STATES))
        with self.database.read() as connection:
            row = connection.execute(sa.select(*rows.RUN_COLUMNS).where(own)).first()
            return None if row is None else rows.run_from_row(row)

    def at_work_beside(self, worker_id: str) -> list[tuple[Run, int]]:
        """Return the runs at work on a worker's machine, with the ids of their processes."""
        of_worker = workers.c.id == runs.c.worker_id
        query: sa.Select[Any] = sa.select(*rows.RUN_COLUMNS, workers.c.pid)
        wanted = query.join(workers, of_worker).where(queue.IS_BUSY_ON_HOST)
        with self.database.read() as connection:
            found = connection.execute(wanted, {"worker_id": worker_id})
            return [(rows.run_from_row(row), row.pid) for row in found]

    def explain_wait(self, run_id: str, reason: str) -> None:
        """Record why a waiting run is not started although its turn has come."""
        changed = sa.and_(runs.c.id == run_id, runs.c.state == "queued", runs.c.phase != reason)
        with self.database.write() as connection:
            connection.execute(sa.update(runs).where(changed).values(phase=reason))

    def count_for_workers(self) -> int:
        """Return how many runs are at work, on any machine, or wait."""
        wanted = runs.c.state.in_(("queued", *queue.BUSY_STATES))
        with self.database.read() as connection:
            query = sa.select(sa.func.count()).select_from(runs).where(wanted)
            return connection.scalar(query) or 0

    def rewind(self, run: Run, step: int | None) -> None:
        """Remove what a run recorded after ``step``, where it continues from a checkpoint.

        Args:
            run: The run as its worker claimed it.
            step: None removes everything, where the run starts from the beginning.

        Raises:
            RunReassigned: It was resumed again since then.
        """
        with self.database.write() as connection:
            stale = event_writer.rewind(connection, run.id, run.attempt, step)
        self.files.remove(run_key(run.id, name) for name in stale)

    def record_events(
        self,
        run_id: str,
        worker_id: str,
        events: Sequence[Event],
        received: event_writer.Received | None = None,
    ) -> list[Command]:
        """Write the events of a run and fetch its new commands, in one transaction.

        Args:
            received: What the worker knows to be recorded. With it a call may be repeated after an
                error: nothing is recorded twice, and no command is lost. None: it knows nothing.

        Raises:
            RunReassigned: The run is no longer this worker's.
        """
        before, command = (received.events, received.command) if received else (None, None)
        with self.database.write() as connection:
            event_writer.record(connection, run_id, worker_id, events, before)
            return commands.take(connection, run_id, command)

    def watch_commands(self, run_id: str) -> QueryWatch:
        """A cheap function, for one thread, that returns whether commands wait for a run."""
        return self.database.watch(commands.pending(run_id), run_id)

    def reap_if_due(self) -> None:
        """Reap dead workers and abandoned sketches, unless that was done a moment ago.

        Called by all readers.
        """
        if self._reap_limit.is_due():
            self.workers.reap()
            with suppress(FilesUnreachable):  # tried again; what is read may need no files
                self.sketches.remove_abandoned()

    def has_queued_run(self) -> bool:
        """Whether a run waits; sketches do not count."""
        query = _QUEUED.where(queue.IS_RECORDED)
        with self.database.read() as connection:
            return connection.execute(query).first() is not None


_QUEUED = sa.select(runs.c.number).where(runs.c.state == "queued").limit(1)


def _step_of_file(path: Path) -> int:
    """Return the step in the header of a weights file (safetensors); 0 where it has none."""
    try:
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        return int(json.loads(header["__metadata__"]["cnnlib"])["step"])
    except (OSError, ValueError, KeyError, TypeError, MemoryError, OverflowError):
        return 0

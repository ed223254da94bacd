"""Studies in the run store: duels, grids and searches as rows, each with the runs that it queued.

A study has no process of its own. Workers at the end of a run, pages and waiting commands call
`advance`, which reads the results of the study's runs, decides, and queues the next ones if the
study is still as it was read, so that two callers do not queue the same run twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cnnlib.errors import LimitError, StoreError
from cnnlib.records.events import Command, EpochEnd
from cnnlib.records.run import BROKEN_OFF_STATES, LIVE_STATES
from cnnlib.runs import commands, queue, rows
from cnnlib.runs.access import permissions
from cnnlib.runs.access.limits import check_request
from cnnlib.runs.database import CommitUnknown, clock
from cnnlib.runs.tables import epochs, runs, studies
from cnnlib.runs.workers.notifications import RUNS, notify

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from cnnlib.records.events import CommandKind
    from cnnlib.records.run import Run, RunRequest
    from cnnlib.runs.store import RunStore

# Stopped: by a person. Incomplete: runs were broken off; they are resumed with the study.
LIVE, DONE, STOPPED, INCOMPLETE = "live", "done", "stopped", "incomplete"
KIND_LABELS = {"duel": "duel", "grid": "experiment", "search": "experiment"}


@dataclass(frozen=True)
class Study:
    """A duel, a grid or a search.

    Args:
        id: Also the group of its runs.
        body: The request; plain JSON values.
        progress: ``{"runs": {place: run id}, ...}`` and what the kind of study stores besides.
        runs: Its runs in their current state, by place; deleted ones are missing.
        epochs: The epochs of its runs, by place, without confusion counts.
        owner: In class mode, the owner of the study and of its runs; "" is the operator.
        pictures: Pictures in the splits that its runs are measured on, ``{"validation": ...,
            "test": ...}``; empty before the first run has finished.
    """

    id: str
    kind: str
    state: str
    body: Mapping[str, Any]
    progress: Mapping[str, Any]
    created: float
    owner: str = ""
    runs: Mapping[str, Run] = field(default_factory=dict)
    epochs: Mapping[str, Sequence[EpochEnd]] = field(default_factory=dict)
    pictures: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_live(self) -> bool:
        """Whether the study still queues runs or waits for them."""
        return self.state == LIVE

    @property
    def deleted(self) -> set[str]:
        """Places of runs that were queued and have been deleted."""
        return set(self.progress["runs"]) - set(self.runs)

    @property
    def broken_off(self) -> tuple[str, ...]:
        """Places of runs that were broken off; a pruned one was not."""
        return tuple(
            place
            for place, run in self.runs.items()
            if run.state in BROKEN_OFF_STATES and not self.is_pruned(place)
        )

    def is_pruned(self, place: str) -> bool:
        """Whether the study itself stopped a run, because others were better."""
        state = self.runs[place].state  # "stopped" in stores of earlier versions
        return state == "pruned" or (
            state == "stopped" and place in self.progress.get("pruned", ())
        )

    @property
    def live_places(self) -> tuple[str, ...]:
        """Places of live runs."""
        return tuple(place for place, run in self.runs.items() if run.is_live)


@dataclass(frozen=True)
class StudyStep:
    """The next step of a study.

    Args:
        submit: Runs to queue, by place.
        stop: Places of the runs to stop.
        command: How they are stopped: "stop", "prune" or "interrupt".
        state: The study's state after the step.
        keep: Values to store in ``progress`` besides the runs.
    """

    submit: Mapping[str, RunRequest] = field(default_factory=dict)
    stop: tuple[str, ...] = ()
    command: CommandKind = "stop"
    state: str = LIVE
    keep: Mapping[str, Any] = field(default_factory=dict)


def submit(
    store: RunStore,
    kind: str,
    body: Mapping[str, Any],
    next_step: Callable[[Study], StudyStep],
    planned: Collection[RunRequest] = (),
    mode: str = "auto",
) -> str:
    """Create a study, queue its first runs, and return its id.

    Args:
        next_step: The function that decides what a study of this kind does next.
        planned: All its runs, where the first steps queue only a part of them.
        mode: Execution mode of all its runs; "auto": its first run chooses it.

    Raises:
        LimitError: Its runs exceed the limits of one person.
    """
    study_id = queue.new_id()
    values: dict[str, Any] = {"id": study_id, "kind": kind, "state": LIVE, "body": dict(body)}
    values |= {"progress": {"runs": {}, "mode": mode}, "owner": store.owner}
    try:
        with store.database.write() as connection:
            store.database.lock(connection)
            values["created"] = clock(connection)
            connection.execute(sa.insert(studies).values(**values))
            study = _find(connection, study_id)
            step = next_step(study)
            store.check_limits(connection, study.owner, planned or step.submit.values())
            _apply(connection, study, step)
    except CommitUnknown as error:
        own = sa.select(studies.c.id).where(studies.c.id == study_id)
        store.database.check_committed(error, own)
    return study_id


def find(store: RunStore, study_id: str, label: str | None = None) -> Study:
    """One study with its runs in their current state.

    Args:
        label: What it must be, a value of `KIND_LABELS`; None: any kind.

    Raises:
        StoreError: There is none with this id, or it is another kind of study.
    """
    store.reap_if_due()
    with store.database.read() as connection:
        study = _find(connection, study_id)
    if label is not None and (found := KIND_LABELS[study.kind]) != label:
        raise StoreError(
            f"{study_id} is the id of a study of the kind {found}, but here it must be that of the "
            f"kind {label}. `python -m cnnlib experiment list` lists the kind of each."
        )
    return study


def find_all(store: RunStore, kinds: Sequence[str]) -> list[Study]:
    """Studies of some kinds, the newest first, without their runs."""
    wanted = sa.select(studies).where(studies.c.kind.in_(kinds)).order_by(studies.c.number.desc())
    with store.database.read() as connection:
        return [_from_row(row) for row in connection.execute(wanted)]


def live_ids(store: RunStore) -> list[str]:
    """Ids of the live studies."""
    with store.database.read() as connection:
        return list(connection.scalars(_LIVE))


def idle_ids(store: RunStore) -> list[str]:
    """Ids of the live studies that have no live run: their next step is due."""
    has_live_run = sa.exists().where(
        runs.c.group_name == studies.c.id, runs.c.state.in_(LIVE_STATES)
    )
    with store.database.read() as connection:
        return list(connection.scalars(_LIVE.where(~has_live_run)))


def live_kind(store: RunStore, study_id: str) -> str:
    """The kind of a study that is live, else ""."""
    wanted = sa.select(studies.c.kind).where(studies.c.id == study_id, studies.c.state == LIVE)
    with store.database.read() as connection:
        return connection.scalar(wanted) or ""


_LIVE = sa.select(studies.c.id).where(studies.c.state == LIVE)


def stop(store: RunStore, study_id: str) -> None:
    """End a study and stop its live runs."""
    _end(store, study_id, "stop", STOPPED)


def interrupt(store: RunStore, study_id: str) -> None:
    """End a study and interrupt its live runs, until they are resumed with it."""
    _end(store, study_id, "interrupt", INCOMPLETE)


def _end(store: RunStore, study_id: str, command: CommandKind, state: str) -> None:
    with store.database.write() as connection:
        study = _find(connection, study_id)
        permissions.check(store.person, study.owner, f"The {KIND_LABELS[study.kind]} {study.id}")
        if study.is_live:
            step = StudyStep(stop=study.live_places, command=command, state=state)
            _apply(connection, study, step)


def resume(store: RunStore, study_id: str) -> None:
    """Go on with a study: its broken-off runs are resumed, and deleted ones are queued again.

    Raises:
        StoreError: There is no such study.
        LimitError: Its runs exceed the limits of one person.
    """
    with store.database.write() as connection:
        store.database.lock(connection)
        study = _find(connection, study_id)
        permissions.check(store.person, study.owner, f"The {KIND_LABELS[study.kind]} {study.id}")
        broken_off = [study.runs[place] for place in study.broken_off]
        if store.person is not None:
            store.check_limits(connection, study.owner, [run.request for run in broken_off])
        for run in broken_off:
            queue.resume(connection, run.id)
        progress = {name: value for name, value in study.progress.items() if name != "trouble"}
        progress["runs"] = {place: run.id for place, run in study.runs.items()}
        update = sa.update(studies).where(studies.c.id == study.id)
        connection.execute(update.values(progress=progress, state=LIVE))


def advance(store: RunStore, study_id: str, next_step: Callable[[Study], StudyStep]) -> None:
    """Apply the next step of a live study; an ended one stays as it is.

    The step is decided without a lock, and decided anew if another process advances the study
    meanwhile. Runs that have ended are read once by each process.
    """
    while True:
        with store.database.read() as connection:
            study, store.ended_runs = _find_with(connection, study_id, store.ended_runs)
        step = _within_limits(store, study, next_step(study)) if study.is_live else StudyStep()
        if not study.is_live or _is_nothing(study, step):
            return
        with store.database.write() as connection:
            if _is_as_read(connection, study, step):
                _apply(connection, study, step)
                return


def _is_nothing(study: Study, step: StudyStep) -> bool:
    """Whether a step leaves a study as it is."""
    is_kept = dict(study.progress) | dict(step.keep) == study.progress
    return not step.submit and not step.stop and is_kept and step.state == study.state


def _is_as_read(connection: sa.Connection, study: Study, step: StudyStep) -> bool:
    """Lock the row of a study and return whether it still is as it was read.

    Before its end, none of its runs may have gone on meanwhile, as a lost one does by itself.
    """
    query = sa.select(studies.c.state, studies.c.progress).where(studies.c.id == study.id)
    row = connection.execute(query.with_for_update()).first()
    if row is None or (row.state, row.progress) != (study.state, study.progress):
        return False
    if step.state == LIVE:
        return True
    is_live = sa.and_(runs.c.group_name == study.id, runs.c.state.in_(LIVE_STATES))
    live = set(connection.scalars(sa.select(runs.c.id).where(is_live)))
    return live <= {study.runs[place].id for place in study.live_places}


def _within_limits(store: RunStore, study: Study, step: StudyStep) -> StudyStep:
    """The step, or the end of the study if one of its runs exceeds the owner's limits.

    The number of waiting runs is not checked here: it was checked when the study began.
    """
    try:
        if study.owner:
            for request in step.submit.values():
                check_request(request, store.settings.person)
    except LimitError as error:
        return StudyStep(stop=study.live_places, state=STOPPED, keep={"trouble": str(error)})
    return step


def _apply(connection: sa.Connection, study: Study, step: StudyStep) -> None:
    """Queue runs, stop runs, and store the study's new progress."""
    run_ids = dict(study.progress["runs"])
    for place, request in step.submit.items():
        run_ids[place] = queue.submit(connection, request, {}, owner=study.owner)
    if step.submit:
        notify(connection, RUNS)
    for place in step.stop:
        commands.submit(connection, study.runs[place].id, Command(step.command))
    progress = dict(study.progress) | dict(step.keep) | {"runs": run_ids}
    if progress != study.progress or step.state != study.state:
        update = sa.update(studies).where(studies.c.id == study.id)
        connection.execute(update.values(progress=progress, state=step.state))


_LATE_SECONDS = 0.1


def _find(connection: sa.Connection, study_id: str) -> Study:
    """Find a study and read all its runs."""
    return _find_with(connection, study_id, rows.EndedRuns())[0]


def _find_with(
    connection: sa.Connection, study_id: str, known: rows.EndedRuns
) -> tuple[Study, rows.EndedRuns]:
    """Find a study and read its runs, but for known ones; return those known then, too."""
    row = connection.execute(sa.select(studies).where(studies.c.id == study_id)).first()
    if row is None:
        raise StoreError(
            f"There is no duel or experiment {study_id[:40]!r} in the run store. "
            "`python -m cnnlib experiment list` lists all of them."
        )
    places = {run_id: place for place, run_id in row.progress["runs"].items()}
    found = _read_runs(
        connection, study_id, known if known.study_id == study_id else rows.EndedRuns()
    )
    present = {place: found[run_id] for run_id, place in places.items() if run_id in found}
    study_runs = {place: run for place, (run, _) in present.items()}
    study_epochs = {place: run_epochs for place, (_, run_epochs) in present.items()}
    study = replace(
        _from_row(row),
        runs=study_runs,
        epochs=study_epochs,
        pictures=_pictures(connection, study_runs.values()),
    )
    ended = {run_id: each for run_id, each in found.items() if not each[0].is_live}
    since = max((run.ended or 0.0 for run, _ in ended.values()), default=0.0) - _LATE_SECONDS
    return study, rows.EndedRuns(study_id, ended, since)


def _read_runs(
    connection: sa.Connection, study_id: str, known: rows.EndedRuns
) -> Mapping[str, tuple[Run, Sequence[EpochEnd]]]:
    """Read the runs of a study and their epochs, but for known ones; all, if one was deleted."""
    of_study = runs.c.group_name == study_id
    total = sa.select(sa.func.count()).where(of_study).scalar_subquery().label("total")
    query: sa.Select[Any] = sa.select(*rows.RUN_COLUMNS, total).where(of_study)
    if known.runs:
        is_new = sa.or_(runs.c.state.in_(LIVE_STATES), runs.c.ended >= known.since)
        query = query.where(is_new)
    found = connection.execute(query).all()
    read = {row.id: (rows.run_from_row(row), list[EpochEnd]()) for row in found}
    if known.runs and (not read or found[0].total != len(known.runs.keys() | read)):
        return _read_runs(connection, study_id, rows.EndedRuns())
    wanted = sa.select(epochs.c.run_id, epochs.c.body).where(epochs.c.run_id.in_(list(read)))
    for epoch in connection.execute(wanted.order_by(epochs.c.epoch)):
        read[epoch.run_id][1].append(EpochEnd(**epoch.body))
    return {**known.runs, **read}


def _pictures(connection: sa.Connection, study_runs: Iterable[Run]) -> dict[str, int]:
    """Pictures in each split, from the confusion counts of a finished run."""
    run = next((run for run in study_runs if run.state == "finished"), None)
    if run is None:
        return {}
    last = sa.select(epochs.c.val_confusion).where(
        epochs.c.run_id == run.id, epochs.c.epoch == run.epoch
    )
    result = connection.scalar(sa.select(runs.c.result).where(runs.c.id == run.id)) or {}
    counts = connection.scalar(last) or []
    return {"validation": sum(map(sum, counts)), "test": result.get("count", 0)}


def _from_row(row: sa.Row[Any]) -> Study:
    return Study(row.id, row.kind, row.state, row.body, row.progress, row.created, row.owner)

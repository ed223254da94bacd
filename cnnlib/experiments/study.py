"""Plans: duels and experiments that ask for runs one after the other, whoever looks after them.

A plan is a row in the store. Nothing watches it: whoever ends a run, shows a page or waits on the
command line calls `advance_studies`, which reads what the plan's runs told and asks for what comes next.
One transaction does it, so that several who advance at once do not ask twice.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cnnlib.design.cost import cost
from cnnlib.design.plan import plan as plan_design
from cnnlib.errors import LimitError, StoreError
from cnnlib.records.events import Command, EpochEnd
from cnnlib.runs import commands, permissions, queue, rows
from cnnlib.runs.limits import check_request
from cnnlib.runs.tables import epochs, runs, studies

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cnnlib.records.run import Run, RunRequest
    from cnnlib.runs.store import RunStore

LIVE, DONE, STOPPED = "live", "done", "stopped"


@dataclass(frozen=True)
class Study:
    """A duel or an experiment.

    Args:
        id: Also the group of its runs.
        body: What was asked for; plain JSON values.
        progress: ``{"runs": {place: run id}, ...}`` and what the kind of plan keeps besides.
        runs: Its runs as they are now, by place; those that were deleted are missing.
        epochs: What its runs told, by place, without confusion counts.
        owner: Who may stop it, and whose its runs are, in class mode; "" is the operator.
        pictures: In the splits that its runs are measured on: ``{"validation": ..., "test": ...}``;
            empty before the first one has finished.
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
        """It asks for more runs, or waits for some."""
        return self.state == LIVE

    @property
    def deleted(self) -> set[str]:
        """Places of runs that were asked for and are not there any more."""
        return set(self.progress["runs"]) - set(self.runs)


@dataclass(frozen=True)
class StudyStep:
    """What a plan does next.

    Args:
        submit: Runs to ask for, by place.
        stop: Places whose runs are to end.
        state: Of the plan after it.
        keep: What its kind keeps in ``progress`` besides.
    """

    submit: Mapping[str, RunRequest] = field(default_factory=dict)
    stop: tuple[str, ...] = ()
    state: str = LIVE
    keep: Mapping[str, Any] = field(default_factory=dict)


# Kind -> the module whose ``next_step(plan) -> Step`` says what such a plan does.
KINDS = {
    "duel": "cnnlib.experiments.duel",
    "grid": "cnnlib.experiments.grid",
    "search": "cnnlib.experiments.search",
}
KIND_LABELS = {"duel": "duel", "grid": "experiment", "search": "experiment"}


def submit_study(store: RunStore, kind: str, body: Mapping[str, Any]) -> str:
    """Begin a plan, ask for its first runs, and return its id.

    Raises:
        LimitError: Its first runs are more, or larger, than one person may ask for.
    """
    plan_id = queue.new_id()
    values = {"id": plan_id, "kind": kind, "state": LIVE, "body": dict(body)}
    values |= {"progress": {"runs": {}}, "created": time.time(), "owner": store.owner}
    with store.database.write() as connection:
        store.database.lock(connection)
        connection.execute(sa.insert(studies).values(**values))
        plan = _find(connection, plan_id)
        step = _next_step(plan)
        store.check_limits(connection, plan.owner, step.submit.values())
        _carry_out(connection, plan, step)
    return plan_id


def find_study(store: RunStore, plan_id: str) -> Study:
    """One plan with its runs as they are now.

    Raises:
        StoreError: There is none.
    """
    store.reap_if_due()
    with store.database.read() as connection:
        return _find(connection, plan_id)


def find_studies(store: RunStore, kinds: Sequence[str]) -> list[Study]:
    """Plans of some kinds, the newest first, without their runs."""
    wanted = sa.select(studies).where(studies.c.kind.in_(kinds)).order_by(studies.c.number.desc())
    with store.database.read() as connection:
        return [_from_row(row) for row in connection.execute(wanted)]


def stop_study(store: RunStore, plan_id: str) -> None:
    """End a plan: it asks for no more runs, and those that wait or run are stopped."""
    with store.database.write() as connection:
        plan = _find(connection, plan_id)
        permissions.check(store.person, plan.owner, f"The {KIND_LABELS[plan.kind]} {plan.id}")
        if plan.is_live:
            live = tuple(place for place, run in plan.runs.items() if run.is_live)
            _carry_out(connection, plan, StudyStep(stop=live, state=STOPPED))


def advance_studies(store: RunStore) -> None:
    """Let every live plan do its next step; cheap where there is none."""
    with store.database.read() as connection:
        if not sa.inspect(connection).has_table(studies.name):
            return
        live = list(connection.scalars(sa.select(studies.c.id).where(studies.c.state == LIVE)))
    for plan_id in live:
        _advance_one(store, plan_id)


def _advance_one(store: RunStore, plan_id: str) -> None:
    with store.database.write() as connection:
        store.database.lock(connection)
        plan = _find(connection, plan_id)
        if plan.is_live:
            _carry_out(connection, plan, _within_limits(store, plan, _next_step(plan)))


def _next_step(plan: Study) -> StudyStep:
    return import_module(KINDS[plan.kind]).next_step(plan)


def _within_limits(store: RunStore, plan: Study, step: StudyStep) -> StudyStep:
    """The step, or the end of the plan where it asks for a run that its owner may not have.

    How many of its runs wait is not looked at: that was, when the plan began.
    """
    try:
        if plan.owner:
            for request in step.submit.values():
                check_request(request, store.settings.person)
    except LimitError as error:
        live = tuple(place for place, run in plan.runs.items() if run.is_live)
        return StudyStep(stop=live, state=STOPPED, keep={"trouble": str(error)})
    return step


def _carry_out(connection: sa.Connection, plan: Study, step: StudyStep) -> None:
    """Ask for runs, stop runs, and write down what the plan came to."""
    asked = dict(plan.progress["runs"])
    for place, request in step.submit.items():
        costs = cost(plan_design(request.spec))
        plan_cost = {"params": costs.params, "macs": costs.macs}
        asked[place] = queue.submit(connection, request, plan_cost, {}, owner=plan.owner)
    for place in step.stop:
        commands.submit(connection, plan.runs[place].id, Command("stop"), time.time())
    progress = dict(plan.progress) | dict(step.keep) | {"runs": asked}
    if progress != plan.progress or step.state != plan.state:
        update = sa.update(studies).where(studies.c.id == plan.id)
        connection.execute(update.values(progress=progress, state=step.state))


def _find(connection: sa.Connection, plan_id: str) -> Study:
    row = connection.execute(sa.select(studies).where(studies.c.id == plan_id)).first()
    if row is None:
        raise StoreError(
            f"There is no duel or experiment {plan_id[:40]!r} in the run store. "
            "`python -m cnnlib experiment list` names those that are there."
        )
    places = {run_id: place for place, run_id in row.progress["runs"].items()}
    found = sa.select(*rows.RUN_COLUMNS).where(runs.c.group_name == plan_id)
    its_runs = {
        places[run.id]: rows.run_from_row(run)
        for run in connection.execute(found)
        if run.id in places
    }
    told: dict[str, list[EpochEnd]] = {place: [] for place in its_runs}
    of_runs = epochs.c.run_id.in_([run.id for run in its_runs.values()])
    wanted = sa.select(epochs.c.run_id, epochs.c.body).where(of_runs).order_by(epochs.c.epoch)
    for epoch in connection.execute(wanted):
        told[places[epoch.run_id]].append(EpochEnd(**epoch.body))
    return replace(
        _from_row(row),
        runs=its_runs,
        epochs=told,
        pictures=_pictures(connection, its_runs.values()),
    )


def _pictures(connection: sa.Connection, its_runs: Iterable[Run]) -> dict[str, int]:
    """How many pictures each split has, from the confusion counts of a finished run."""
    run = next((run for run in its_runs if run.state == "finished"), None)
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

"""Writes the events of a run: a batch becomes rows and the run's new state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import sqlalchemy as sa

from cnnlib.errors import StoreError
from cnnlib.records.events import (
    STEP_COLUMNS,
    EpochEnd,
    Event,
    Intervention,
    Phase,
    RunEnd,
    SampleScore,
    Started,
    StepMetrics,
    WeightsSaved,
)
from cnnlib.runs import tables
from cnnlib.runs.database import clock
from cnnlib.runs.rows import epoch_from_row
from cnnlib.runs.tables import epochs, interventions, runs, samples, steps, weights

Values = dict[str, Any]


@dataclass(frozen=True)
class Received:
    """What a worker knows to be recorded of its run.

    Args:
        events: Number of events since it claimed the run.
        command: Id of the last command that it has got.
    """

    events: int = 0
    command: int = 0


class RunReassigned(StoreError):
    """The run is no longer this worker's: it was deleted, or resumed by another worker."""


def record(
    connection: sa.Connection,
    run_id: str,
    worker_id: str,
    events: Sequence[Event],
    before: int | None = None,
) -> None:
    """Write the new events of a run, in order.

    Args:
        before: Number of the worker's events before these. Events that are recorded already, in a
            transaction whose commit was not answered, are left out. None: all are new.

    Raises:
        RunReassigned: The run belongs to another worker or is deleted; the calling worker must
            stop the run.
    """
    if before is not None:
        events = _unrecorded(connection, run_id, worker_id, events, before)
    last = events[-1] if events else None
    only_steps = all(isinstance(event, StepMetrics | SampleScore) for event in events)
    if isinstance(last, StepMetrics) and only_steps:  # the usual case
        updated = _update_to_step(connection, run_id, worker_id, last)
    else:
        changes = _changes(events, clock(connection)) | _summary_change(connection, run_id, events)
        own = sa.and_(runs.c.id == run_id, runs.c.worker_id == worker_id)
        update = sa.update(runs).where(own).values(**changes, worker_id=worker_id)
        updated = connection.execute(update).rowcount
    if not updated:
        raise _reassigned_error(run_id)
    _insert_rows(connection, run_id, events)


def _unrecorded(
    connection: sa.Connection, run_id: str, worker_id: str, events: Sequence[Event], before: int
) -> Sequence[Event]:
    """Return the events that are not recorded yet, and count them as recorded."""
    own = sa.and_(runs.c.id == run_id, runs.c.worker_id == worker_id)
    recorded = connection.scalar(sa.select(runs.c.recorded).where(own).with_for_update())
    if recorded is None:
        raise _reassigned_error(run_id)
    new = events[max(0, recorded - before) :]
    if new:
        connection.execute(sa.update(runs).where(own).values(recorded=before + len(events)))
    return new


def _reassigned_error(run_id: str) -> RunReassigned:
    return RunReassigned(
        f"The run {run_id} no longer belongs to this worker: it was deleted, or resumed by another "
        "worker. Later steps of this worker are not recorded."
    )


def _insert_rows(connection: sa.Connection, run_id: str, events: Sequence[Event]) -> None:
    """Insert the events that have their own tables."""
    _insert_steps(connection, run_id, [e for e in events if isinstance(e, StepMetrics)])
    for event in events:
        match event:
            case EpochEnd():
                _insert_epoch(connection, run_id, event)
            case SampleScore():
                _insert_sample(connection, run_id, event)
            case Intervention():
                _insert_intervention(connection, run_id, event)
            case WeightsSaved():
                _insert_weights(connection, run_id, event)


def _changes(events: Sequence[Event], now: sa.ColumnElement[float]) -> Values:
    """Changes of the run's own row by the events, except the summary."""
    changes: Values = {}
    for event in events:
        match event:
            case StepMetrics():
                changes |= _step_values(event)
                if changes.get("state", "paused") != "paused":
                    changes["phase"] = ""
            case EpochEnd():
                changes |= {"epoch": event.epoch, "step": event.step}
            case Intervention(order="set"):
                changes["intervened"] = True
            case Phase():
                changes |= {"state": event.state, "phase": event.text}
            case Started():
                changes |= _start_values(event)
            case RunEnd():
                changes |= _end_values(event, now)
    if "step" in changes and "phase" not in changes:
        changes["phase"] = _PHASE_WHILE_STEPPING
    measured = sum(event.eval_seconds for event in events if isinstance(event, EpochEnd))
    return changes | ({"eval_seconds": runs.c.eval_seconds + measured} if measured else {})


def _summary_change(connection: sa.Connection, run_id: str, events: Sequence[Event]) -> Values:
    """The new summary for the results table; empty where the events do not change it."""
    epoch_events = [event for event in events if isinstance(event, EpochEnd)]
    updates: Values = {}
    for event in events:
        match event:
            case Started():
                updates["forecast"] = dict(event.forecast)
                updates["batches_per_epoch"] = event.batches_per_epoch
                if event.dead_units:
                    updates["initial_dead_units"] = dict(event.dead_units)
            case RunEnd():
                updates |= _end_summary(event)
    if not epoch_events and not updates:
        return {}
    before = connection.scalar(sa.select(runs.c.summary).where(runs.c.id == run_id)) or {}
    if "weights_step" in updates:
        updates |= _restored_summary(connection, run_id, updates["weights_step"], epoch_events)
    return {"summary": epochs_summary(epoch_events, before) | updates}


def _restored_summary(
    connection: sa.Connection, run_id: str, step: int, new_epochs: Sequence[EpochEnd]
) -> Values:
    """The validation metrics of the epoch whose weights early stopping restored.

    In a short run the epoch may be among the events that are just being recorded.
    """
    epoch = next((each for each in new_epochs if each.step == step), None)
    if epoch is None:
        query = sa.select(epochs).where(epochs.c.run_id == run_id, epochs.c.step == step)
        epoch = epoch_from_row(connection.execute(query).one())
    return {
        "weights_epoch": epoch.epoch,
        "last_val_loss": epoch.val_loss,
        "last_val_accuracy": epoch.val_accuracy,
    }


def epochs_summary(new_epochs: Sequence[EpochEnd], before: Mapping[str, Any]) -> Values:
    """The summary ``before``, updated with new epochs, for the results table."""
    summary: Values = dict(before)
    if new_epochs:
        summary.pop("val_step", None)
    for epoch in new_epochs:
        summary.setdefault("first_train_loss", epoch.train_loss)
        for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy"):
            summary[f"last_{name}"] = getattr(epoch, name)
        best = summary.get("best_val_accuracy")
        if epoch.val_accuracy is not None and (best is None or epoch.val_accuracy > best):
            summary["best_val_accuracy"] = epoch.val_accuracy
            summary["best_val_epoch"] = epoch.epoch
    return summary


def rewind(connection: sa.Connection, run_id: str, attempt: int, step: int | None) -> list[str]:
    """Delete all rows after ``step``, where an attempt continues from a checkpoint.

    The newest weights that an earlier attempt wrote for pages are deleted, too.

    Args:
        step: None deletes all rows: the attempt starts from the beginning.

    Returns:
        Names of the weight files of the deleted rows, for the caller to remove.

    Raises:
        RunReassigned: Another attempt has begun, or the run is deleted.
    """
    current = sa.select(runs.c.attempt).where(runs.c.id == run_id).with_for_update()
    if connection.scalar(current) != attempt:
        raise _reassigned_error(run_id)
    last = -1 if step is None else step
    is_stale = sa.or_(weights.c.step > last, weights.c.what == "latest")
    stale = sa.and_(weights.c.run_id == run_id, is_stale)
    files = list(connection.scalars(sa.select(weights.c.file).where(stale)))
    connection.execute(sa.delete(weights).where(stale))
    for table in (steps, samples, epochs, interventions):
        later = sa.and_(table.c.run_id == run_id, table.c.step > last)
        connection.execute(sa.delete(table).where(later))
    update = sa.update(runs).where(runs.c.id == run_id)
    connection.execute(update.values(**_state_at(connection, run_id, step or 0)))
    return files


def _state_at(connection: sa.Connection, run_id: str, step: int) -> Values:
    """Values of a run's row at ``step``, from its remaining rows."""
    rows = connection.execute(
        sa.select(epochs).where(epochs.c.run_id == run_id).order_by(epochs.c.epoch)
    )
    left = [epoch_from_row(row) for row in rows]
    seconds = sa.select(steps.c.seconds).where(steps.c.run_id == run_id, steps.c.step == step)
    changed = sa.select(sa.func.count()).where(
        interventions.c.run_id == run_id, interventions.c.order_kind == "set"
    )
    return {
        "step": step,
        "epoch": left[-1].epoch if left else 0,
        "train_seconds": connection.scalar(seconds) or 0.0,
        "eval_seconds": sum(epoch.eval_seconds for epoch in left),
        "intervened": (connection.scalar(changed) or 0) > 0,
        "summary": epochs_summary(left, _fixed_summary(connection, run_id)),
        "result": None,
    }


_KEPT_BY_REWIND = ("forecast", "promised", "repeat", "initial_dead_units")


def _fixed_summary(connection: sa.Connection, run_id: str) -> Values:
    """Read the part of the summary that does not depend on the step."""
    summary = connection.scalar(sa.select(runs.c.summary).where(runs.c.id == run_id)) or {}
    return {name: summary[name] for name in _KEPT_BY_REWIND if name in summary}


def _insert_steps(connection: sa.Connection, run_id: str, events: Sequence[StepMetrics]) -> None:
    """Insert all steps with one statement."""
    if not events:
        return
    rows = [
        {"run_id": run_id} | {name: _finite(getattr(e, name)) for name in STEP_COLUMNS}
        for e in events
    ]
    connection.execute(_INSERT_STEPS, rows)


_INSERT_STEPS = sa.insert(steps)


def _finite(value: float) -> float | None:
    """The number, or None where it is not finite: not every database and JSON reader has NaN."""
    return value if isfinite(value) else None


def _step_values(event: StepMetrics) -> Values:
    """Values of the run's row after its latest step."""
    return {
        "step": event.step,
        "train_seconds": event.seconds,
        "images_per_second": _finite(event.images_per_second),
    }


# A step ends the phase that a running run was in. A paused run that makes single steps stays paused
# and keeps its phase.
_PHASE_WHILE_STEPPING = sa.case((runs.c.state == "paused", runs.c.phase), else_="")

_UPDATE_TO_STEP = (
    sa.update(runs)
    .where(runs.c.id == sa.bindparam("this_run"), runs.c.worker_id == sa.bindparam("this_worker"))
    .values(
        step=sa.bindparam("step"),
        train_seconds=sa.bindparam("train_seconds"),
        images_per_second=sa.bindparam("images_per_second"),
        phase=_PHASE_WHILE_STEPPING,
    )
)


def _update_to_step(
    connection: sa.Connection, run_id: str, worker_id: str, event: StepMetrics
) -> int:
    """Update the row with a statement that is built once; returns the number of rows updated."""
    keys = {"this_run": run_id, "this_worker": worker_id}
    return connection.execute(_UPDATE_TO_STEP, keys | _step_values(event)).rowcount


def _insert_epoch(connection: sa.Connection, run_id: str, event: EpochEnd) -> None:
    """Insert an epoch, or replace it: a run resumed at its last step may measure it again."""
    same = sa.and_(epochs.c.run_id == run_id, epochs.c.epoch == event.epoch)
    connection.execute(sa.delete(epochs).where(same))
    body = {
        name: getattr(event, name) for name in event.__dataclass_fields__ if name != "val_confusion"
    }
    values = {"epoch": event.epoch, "step": event.step, "val_confusion": event.val_confusion}
    connection.execute(sa.insert(epochs).values(run_id=run_id, body=body, **values))


def _insert_sample(connection: sa.Connection, run_id: str, event: SampleScore) -> None:
    """Insert a score, or replace it: a run resumed at that step may measure it again."""
    same = sa.and_(samples.c.run_id == run_id, samples.c.step == event.step)
    connection.execute(sa.delete(samples).where(same))
    values = {name: getattr(event, name) for name in ("step", "correct", "count", "seconds")}
    connection.execute(sa.insert(samples).values(run_id=run_id, **values))


def _insert_intervention(connection: sa.Connection, run_id: str, event: Intervention) -> None:
    values: Values = {"step": event.step, "order_kind": event.order}
    values |= {"setting": event.setting, "value": event.value}
    connection.execute(sa.insert(interventions).values(run_id=run_id, **values))


def _insert_weights(connection: sa.Connection, run_id: str, event: WeightsSaved) -> None:
    """Insert the row of a file, replacing an older one, and delete those of dropped files."""
    gone = (event.file, *event.dropped)
    connection.execute(
        sa.delete(weights).where(weights.c.run_id == run_id, weights.c.file.in_(gone))
    )
    values = {"file": event.file, "what": event.what, "size_bytes": event.size_bytes}
    connection.execute(sa.insert(weights).values(run_id=run_id, step=event.step, **values))


def _start_values(event: Started) -> Values:
    return {
        "state": "running",
        "phase": "",
        "total_steps": event.total_steps,
        "fingerprint": event.fingerprint,
        "chosen": dict(event.chosen),
        "machine": dict(event.machine),
        "threads": event.machine["threads"],
    }


def _end_values(event: RunEnd, now: sa.ColumnElement[float]) -> Values:
    values: Values = {"state": event.state, "reason": event.reason, "phase": "", "ended": now}
    if event.step:
        values |= {"step": event.step, "train_seconds": event.train_seconds}
    if event.images_per_second:
        values["images_per_second"] = event.images_per_second  # of the whole run
    if event.test is not None:
        values["result"] = event.test.to_dict()
    return values


def _end_summary(event: RunEnd) -> Values:
    measured: Values = {"latency": dict(event.latency)}
    measured |= {n: getattr(event, n) for n in ("images_per_second", "peak_memory_bytes")}
    values = {name: value for name, value in measured.items() if value}
    if event.weights_step is not None:
        values["weights_step"] = event.weights_step
    if event.validation is not None:
        values |= {
            "last_val_loss": event.validation.loss,
            "last_val_accuracy": event.validation.accuracy,
            "val_step": event.step,
        }
    if event.test is not None:
        values |= {"test_loss": event.test.loss, "test_accuracy": event.test.accuracy}
    return values


def erase(connection: sa.Connection, run_id: str) -> None:
    """Delete all rows of a run."""
    for table in (*tables.RUN_PARTS, tables.sketches):
        connection.execute(sa.delete(table).where(table.c.run_id == run_id))
    connection.execute(sa.delete(runs).where(runs.c.id == run_id))

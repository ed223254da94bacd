"""The state and the new metrics of a run, for pages that poll several times a second."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cnnlib.records.events import MEASURING_STOPPED, MEASURING_TEST
from cnnlib.records.run import run_title
from cnnlib.runs import queue
from cnnlib.runs.rows import parse_request, step_columns, unknown_run
from cnnlib.runs.tables import epochs, interventions, runs, samples, sketches

if TYPE_CHECKING:
    from cnnlib.runs.store import RunStore

_RUN = sa.select(
    *queue.ETA_COLUMNS,
    runs.c.reason,
    runs.c.phase,
    runs.c.attempt,
    runs.c.images_per_second,
).where(runs.c.id == sa.bindparam("run_id"))
_SHOWN = (
    "state",
    "reason",
    "phase",
    "attempt",
    "step",
    "total_steps",
    "epoch",
    "epochs_total",
    "train_seconds",
    "images_per_second",
)


def metrics_since(
    store: RunStore,
    run_id: str,
    after: int = 0,
    after_epoch: int = 0,
    after_sample: int = 0,
    limit: int = 5000,
) -> dict[str, Any]:
    """State of a run with its new steps and epochs, as plain JSON without NaN.

    The caller keeps the cursor: it passes the last step, epoch and sample that it has. If
    ``attempt`` differs from the last answer, the run was resumed from a checkpoint and later steps
    were deleted: read again from 0.

    Args:
        after: Last step that the caller has.
        after_epoch: Last epoch that the caller has.
        after_sample: Step of the last `SampleScore` that the caller has.
        limit: Most steps in one answer; ``more`` is true if there are others, to be read at once.

    Raises:
        StoreError: There is no such run.
    """
    store.reap_if_due()
    with store.database.read() as connection:
        run = connection.execute(_RUN, {"run_id": run_id}).first()
        if run is None:
            raise unknown_run(run_id)
        columns = step_columns(connection, run_id, after, limit)
        new_epochs = _epochs(connection, run_id, after_epoch) if run.epoch > after_epoch else []
        new_samples = _samples(connection, run_id, after_sample)
        note = connection.scalar(sa.select(sketches.c.note).where(sketches.c.run_id == run_id))
        all_interventions = _interventions(connection, run_id)
        is_queued = run.state == "queued"
        place = queue.position(connection, run_id) if is_queued else None
        wait = queue.wait_seconds(connection, run_id) if is_queued else None
        waits_for = queue.wait_reason(connection, run_id) if is_queued else ""
    # An early end leaves steps of the recipe undone, which count no more.
    has_ended = run.phase in (MEASURING_STOPPED, MEASURING_TEST)
    is_training = run.state in queue.BUSY_STATES and not has_ended
    return {name: getattr(run, name) for name in _SHOWN} | {
        "run_id": run_id,
        "title": run_title(parse_request(run.request), run.summary),
        "weights_epoch": run.summary.get("weights_epoch"),
        "val_step": (val_step := run.summary.get("val_step")),
        "val_accuracy": None if val_step is None else run.summary["last_val_accuracy"],
        "eta_seconds": queue.eta_seconds(run) if is_training else None,
        "queue_position": place,
        "wait_seconds": wait,
        "waits_for": waits_for,
        "steps": columns,
        "note": note or "",
        "samples": new_samples,
        "epochs": new_epochs,
        "interventions": all_interventions,
        "more": len(columns["step"]) == limit,
    }


def _samples(connection: sa.Connection, run_id: str, after: int) -> list[list[Any]]:
    """Scores on the validation sample after a step, as ``[step, correct, count]``."""
    columns = samples.c.step, samples.c.correct, samples.c.count
    query = sa.select(*columns).where(samples.c.run_id == run_id, samples.c.step > after)
    return [list(row) for row in connection.execute(query.order_by(samples.c.step))]


def _epochs(connection: sa.Connection, run_id: str, after: int) -> list[dict[str, Any]]:
    """Epochs after the given one; only the last has its confusion counts."""
    wanted = sa.select(epochs.c.body).where(epochs.c.run_id == run_id, epochs.c.epoch > after)
    bodies = connection.scalars(wanted.order_by(epochs.c.epoch))
    found = [{name: _finite(value) for name, value in body.items()} for body in bodies]
    if found:
        last = sa.and_(epochs.c.run_id == run_id, epochs.c.epoch == found[-1]["epoch"])
        counts = connection.scalar(sa.select(epochs.c.val_confusion).where(last))
        found[-1]["val_confusion"] = counts
    return found


def _finite(value: Any) -> Any:
    """The value, or None for a number that JSON cannot represent."""
    return None if isinstance(value, float) and not isfinite(value) else value


def _interventions(connection: sa.Connection, run_id: str) -> list[dict[str, Any]]:
    wanted = sa.select(interventions).where(interventions.c.run_id == run_id)
    return [
        {"step": row.step, "order": row.order_kind, "setting": row.setting, "value": row.value}
        for row in connection.execute(wanted.order_by(interventions.c.number))
    ]

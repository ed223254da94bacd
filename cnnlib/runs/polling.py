"""What a page that watches a run asks for, several times a second: the rows after the last."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cnnlib.runs import queue
from cnnlib.runs.rows import step_columns, unknown_run
from cnnlib.runs.tables import epochs, interventions, runs

if TYPE_CHECKING:
    from cnnlib.runs.store import RunStore

_RUN = sa.select(
    *queue.ETA_COLUMNS,
    runs.c.reason,
    runs.c.phase,
    runs.c.attempt,
    runs.c.images_per_second,
    runs.c.chosen,
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
    "chosen",
)


def metrics_since(
    store: RunStore, run_id: str, after: int = 0, after_epoch: int = 0, limit: int = 5000
) -> dict[str, Any]:
    """State of a run with the steps and epochs that the page has not seen: plain JSON, no NaN.

    The cursor is the page's own: it asks with the last step and epoch that it has. Where
    ``attempt`` differs from the last answer, the run went on from a checkpoint and what lay after
    it was taken back: ask again from 0.

    Args:
        limit: Steps in one answer at most; ``more`` says that there are others: ask at once.

    Raises:
        StoreError: There is no such run.
    """
    store.reap_if_due()
    with store.database.read() as connection:
        run = connection.execute(_RUN, {"run_id": run_id}).first()
        if run is None:
            raise unknown_run(run_id)
        columns = step_columns(connection, run_id, after, limit)
        told = _epochs(connection, run_id, after_epoch) if run.epoch > after_epoch else []
        changed = _interventions(connection, run_id)
        is_queued = run.state == "queued"
        place = queue.position(connection, run_id) if is_queued else None
        wait = queue.wait_seconds(connection, run_id) if is_queued else None
    is_at_work = run.state in queue.BUSY_STATES
    return {name: getattr(run, name) for name in _SHOWN} | {
        "run_id": run_id,
        "eta_seconds": queue.eta_seconds(run) if is_at_work else None,
        "queue_position": place,
        "wait_seconds": wait,
        "steps": columns,
        "epochs": told,
        "interventions": changed,
        "more": len(columns["step"]) == limit,
    }


def _epochs(connection: sa.Connection, run_id: str, after: int) -> list[dict[str, Any]]:
    """Epochs after one, without their confusion counts."""
    wanted = sa.select(epochs.c.body).where(epochs.c.run_id == run_id, epochs.c.epoch > after)
    bodies = connection.scalars(wanted.order_by(epochs.c.epoch))
    return [{name: _finite(value) for name, value in body.items()} for body in bodies]


def _finite(value: Any) -> Any:
    """The value, or None for a number that JSON does not know."""
    return None if isinstance(value, float) and not isfinite(value) else value


def _interventions(connection: sa.Connection, run_id: str) -> list[dict[str, Any]]:
    wanted = sa.select(interventions).where(interventions.c.run_id == run_id)
    return [
        {"step": row.step, "order": row.order_kind, "setting": row.setting, "value": row.value}
        for row in connection.execute(wanted.order_by(interventions.c.number))
    ]

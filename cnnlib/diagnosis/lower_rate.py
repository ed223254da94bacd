"""What to do with a run that diverged: continue a saved step with a lower learning rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnlib.runs.saved_steps import epochs_until

if TYPE_CHECKING:
    from cnnlib.records.run import Run
    from cnnlib.runs import RunStore


@dataclass(frozen=True)
class LowerRate:
    """The advised fork of a run that diverged.

    Args:
        step: Its last checkpoint, from which epochs are left.
        lr: A tenth of the highest learning rate that it has used.
    """

    step: int
    lr: float


def lower_rate(store: RunStore, run: Run) -> LowerRate | None:
    """Return the advised fork; None for a run that has not diverged, or has no such checkpoint."""
    if run.state != "diverged":
        return None
    epochs = run.request.recipe.epochs
    steps = [
        saved.step
        for saved in store.saved_weights(run.id)
        if saved.what == "checkpoint" and epochs_until(store, run.id, saved.step) < epochs
    ]
    rates = [lr for lr in store.sampled_steps(run.id)["lr"] if lr]
    return LowerRate(max(steps), float(f"{max(rates) / 10:.3g}")) if steps and rates else None

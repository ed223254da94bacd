"""Which saved step of a run a command works with, and the network at that step."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from cnnlib.errors import StoreError
from cnnlib.records.events import WeightsSaved
from cnnlib.records.run import Run

if TYPE_CHECKING:
    from torch import nn

    from cnnlib.runs import RunStore


def saved_weights(
    store: RunStore, run: Run, step: int | None, kinds: Collection[str] = ("snapshot", "checkpoint")
) -> WeightsSaved:
    """The file with the weights of a step; None is the last one.

    Args:
        kinds: Of the file; a run can be continued from a "checkpoint" only.

    Raises:
        StoreError: It is not on disk; those that are, are named.
    """
    files = {saved.step: saved for saved in store.saved(run.id) if saved.what in kinds}
    if step is None and files:
        step = max(files)
    if step not in files:
        asked = "" if step is None else f" at step {step:,}"
        kind = "weights" if "snapshot" in kinds else "checkpoint"
        there = ", ".join(map(str, sorted(files)))
        advice = f"Choose one of the steps {there}." if there else "Let it train first."
        raise StoreError(f"The run {run.id} has no {kind}{asked}. {advice}")
    return files[step]


def trained_net(run: Run, saved: WeightsSaved) -> nn.Module:
    """The run's network with saved weights, on the CPU, in evaluation mode.

    Raises:
        TrainError: The file is damaged, or went away.
    """
    from cnnlib.train.load import load_run

    return load_run(run.id, saved.step).net

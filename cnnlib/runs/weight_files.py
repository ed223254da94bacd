"""Which saved step of a run somebody means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnlib.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Collection

    from cnnlib.records.events import WeightsSaved
    from cnnlib.runs.store import RunStore

KEPT = ("snapshot", "checkpoint")  # for good; "latest" is written over while somebody looks


def saved_weights(
    store: RunStore, run_id: str, step: int | None = None, kinds: Collection[str] = KEPT
) -> WeightsSaved:
    """The file with the weights of a step; None is the last step, and of two files the smaller.

    Args:
        kinds: Of the file; a run can be continued from a "checkpoint" only.

    Raises:
        StoreError: It is not on disk; those that are, are named.
    """
    there = [saved for saved in store.saved_weights(run_id) if saved.what in kinds]
    files = {saved.step: saved for saved in sorted(there, key=lambda saved: -saved.size_bytes)}
    if step is None and files:
        step = max(files)
    if step not in files:
        asked = "" if step is None else f" at step {step:,}"
        kind = "weights" if "snapshot" in kinds else "checkpoint"
        steps = ", ".join(map(str, sorted(files)))
        advice = f"Choose one of the steps {steps}." if steps else "Let it train first."
        raise StoreError(f"The run {run_id} has no {kind}{asked}. {advice}")
    return files[step]

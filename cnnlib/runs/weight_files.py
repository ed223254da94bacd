"""Selection of a run's weight file by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnlib.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from cnnlib.records.events import WeightsSaved
    from cnnlib.records.run import Run
    from cnnlib.runs.store import RunStore

KEPT = ("snapshot", "checkpoint")  # not overwritten; "latest" is, during inspection


def saved_weights(
    store: RunStore, run_id: str, step: int | None = None, kinds: Collection[str] = KEPT
) -> WeightsSaved:
    """The smallest file with the weights of a step.

    Args:
        step: The step; None is the one that early stopping restored, or else the last.
        kinds: Allowed kinds of file; a run can be continued from a "checkpoint" only.

    Raises:
        StoreError: There is none on disk; the sentence lists the available steps.
    """
    available = [saved for saved in store.saved_weights(run_id) if saved.what in kinds]
    files = {saved.step: saved for saved in sorted(available, key=lambda saved: -saved.size_bytes)}
    if step is None and files:
        restored = store.run(run_id).weights_step if "snapshot" in kinds else None
        step = restored if restored in files else max(files)
    if step not in files:
        at_step = "" if step is None else f" at step {step:,}"
        kind = "weights" if "snapshot" in kinds else "checkpoint"
        steps = ", ".join(map(str, sorted(files)))
        advice = f"Choose one of the steps {steps}." if steps else "Let the run train first."
        raise StoreError(f"The run {run_id} has no {kind}{at_step}. {advice}")
    return files[step]


def newest_first(run: Run, saved: Sequence[WeightsSaved]) -> list[WeightsSaved]:
    """Return the files of the step that early stopping restored, or else all, the last step first.

    Of two files of one step, the smaller one is first.
    """
    restored = [each for each in saved if each.step == run.weights_step]
    return sorted(restored or saved, key=lambda each: (-each.step, each.size_bytes))

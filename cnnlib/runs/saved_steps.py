"""A saved step of a run: its weight file, the settings at it, and the request of a fork from it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cnnlib.errors import RecipeError, StoreError
from cnnlib.records.run import Origin, Run, RunRequest
from cnnlib.vocabulary.training import OPTIMIZERS

if TYPE_CHECKING:
    from cnnlib.records.events import WeightsSaved
    from cnnlib.records.recipe import Recipe
    from cnnlib.runs.store import RunStore


def changed_settings(store: RunStore, run_id: str, step: int | None = None) -> dict[str, Any]:
    """Return the settings changed by hand, by name; with a step, those changed until then.

    A change of the whole request ("change") sets all of them to its recipe's values.
    """
    settings: dict[str, Any] = {}
    for each in store.interventions(run_id):
        if step is not None and each.step > step:
            break
        if each.order == "change":
            settings = {}
        elif each.setting:
            settings[each.setting] = each.value
    return settings


def recipe_at(store: RunStore, run: Run, step: int) -> Recipe:
    """Return the recipe in force after a step: the run's own, with the settings changed by hand.

    A changed momentum of Adam, AdamW or Muon is left out, as a recipe has none for them.
    """
    recipe, changes = run.request.recipe, changed_settings(store, run.id, step)
    if not OPTIMIZERS[recipe.optimizer].has_momentum:
        changes.pop("momentum", None)
    return replace(recipe, **changes)


def epochs_until(store: RunStore, run_id: str, step: int) -> int:
    """Count the epochs that were finished at a step."""
    return sum(epoch.step <= step for epoch in store.epochs(run_id, confusions=False))


def fork_request(
    store: RunStore,
    run: Run,
    step: int,
    recipe: Recipe,
    *,
    weights_only: bool = False,
    name: str = "",
) -> RunRequest:
    """Build the request of a fork. It trains with exactly this recipe.

    Args:
        step: A saved step of the run; a checkpoint unless ``weights_only``.
        recipe: Its ``epochs`` count from the start of the run, not from the step.
        weights_only: Start at step 0 with the weights; otherwise continue with the optimizer's
            state, the epoch and the position in it.

    Raises:
        RecipeError: The recipe ends before the step.
    """
    done = 0 if weights_only else epochs_until(store, run.id, step)
    if not weights_only and done >= recipe.epochs:
        raise RecipeError(
            f"The fork starts after epoch {done}, but its recipe ends after epoch {recipe.epochs}. "
            "Choose more epochs, or start from an earlier step."
        )
    origin = Origin(run.id, step, weights_only)
    return replace(run.request, recipe=recipe, origin=origin, name=name, group="")


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

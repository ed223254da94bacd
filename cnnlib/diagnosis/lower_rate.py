"""What to do with a learning rate that was too high: a rate with evidence, and the step to fork."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnlib.diagnosis.curve import Curve
from cnnlib.records.recipe_presets import RECIPES, default_recipe
from cnnlib.runs.saved_steps import epochs_until
from cnnlib.vocabulary.training import OPTIMIZERS

if TYPE_CHECKING:
    from cnnlib.records.run import Run
    from cnnlib.runs import RunStore


@dataclass(frozen=True)
class KnownRate:
    """A learning rate that is known to train.

    Args:
        source: Where it is from, as a phrase: "that of the default recipe of this design".
    """

    lr: float
    source: str


_SAME_RATES = {"momentum": "nesterov"}  # no recipe of the lab has the former


def known_rate(run: Run, lr: float) -> KnownRate | None:
    """Return a rate below ``lr`` that is known to train; None where there is none.

    For Adam and AdamW it is the rate of the default recipe of the design and dataset, for other
    optimisers the lowest rate of the lab's recipes with them.
    """
    spec, recipe, dataset = run.request.spec, run.request.recipe, run.request.dataset
    if recipe.optimizer in ("adam", "adamw"):
        pictures = run.summary.get("batches_per_epoch", 0) * recipe.batch_size
        known = KnownRate(
            default_recipe(spec, dataset, pictures).lr, "that of the default recipe of this design"
        )
    else:
        name = _SAME_RATES.get(recipe.optimizer, recipe.optimizer)
        known = KnownRate(
            min(each.recipe.lr for each in RECIPES.values() if each.recipe.optimizer == name),
            f"the lowest of the lab's recipes with {OPTIMIZERS[name].label}",
        )
    return known if known.lr < lr else None


@dataclass(frozen=True)
class LowerRate:
    """The advised fork of a run that diverged.

    Args:
        step: Its last checkpoint from which the loss still fell, and from which epochs are left;
            the first one if the loss rose from the start.
        lr: A known rate, or else a tenth of the highest learning rate that it has used.
        source: Where the rate is from, as a phrase.
    """

    step: int
    lr: float
    source: str


def rate_advice(run: Run, lr: float) -> str:
    """Return a rate below ``lr`` with its source, as a phrase; a tenth where none is known."""
    known = known_rate(run, lr)
    return f"a tenth of {lr:.3g}" if known is None else f"{known.lr:g}, {known.source}"


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
    sampled = store.sampled_steps(run.id)
    rates = [lr for lr in sampled["lr"] if lr]
    if not steps or not rates:
        return None
    curve = Curve.of(sampled)
    lowest = 0 if curve.rose_from_start else curve.lowest_step
    step = max((each for each in steps if each <= lowest), default=min(steps))
    known = known_rate(run, max(rates))
    if known is not None:
        return LowerRate(step, known.lr, known.source)
    return LowerRate(
        step, float(f"{max(rates) / 10:.3g}"), "a tenth of the highest that this run used"
    )

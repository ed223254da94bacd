"""Rules that diagnose a training from its recorded numbers.

Every rule compares a run with itself and with guessing: equal probabilities for all classes have a
cross-entropy of ``ln(classes)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from statistics import median
from typing import Any

from cnnlib.diagnosis.causes import causes_of_not_learning
from cnnlib.records.diagnosis import Diagnosis
from cnnlib.records.events import EpochEnd
from cnnlib.records.run import Run
from cnnlib.units import percent, plural

BLOCKS = 12  # parts of a curve, each reduced to its median
FEWEST_STEPS = 100  # before it, neither "not learning" nor dead units are diagnosed
DEAD_SHARE = 0.4  # share of a layer's units; fewer are harmless
DEAD_GROWTH = 0.2  # more than in the untrained network, where some units are dead by chance
FEWEST_DEAD_IMAGES = 100  # a unit that is 0 on fewer pictures may be alive on others
# Factor on the lowest validation loss. In 42 runs on real pictures, learning runs reached 1.12 for
# two epochs at a high learning rate and recovered.
WORSE_VALIDATION = 1.15


@dataclass(frozen=True)
class Curve:
    """Recorded steps, or an even sample of them, without steps that have missing values."""

    step: tuple[int, ...]
    loss: tuple[float, ...]
    lr: tuple[float, ...]
    grad_norm: tuple[float, ...]

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[Any]]) -> Curve:
        """Build a curve from columns of the run store."""
        names = tuple(cls.__dataclass_fields__)
        rows = zip(*(columns[name] for name in names), strict=True)
        complete = [row for row in rows if None not in row]
        if not complete:
            return _EMPTY
        return cls(*(tuple(column) for column in zip(*complete, strict=True)))

    def blocks(self) -> list[tuple[int, float]]:
        """Split the curve into `BLOCKS` parts; return the last step and median loss of each."""
        count = min(BLOCKS, len(self.step))
        ends = [len(self.step) * part // count for part in range(1, count + 1)] if count else []
        starts = [0, *ends[:-1]]
        return [
            (self.step[end - 1], median(self.loss[start:end]))
            for start, end in zip(starts, ends, strict=True)
        ]


_EMPTY = Curve((), (), (), ())


def diagnose(
    run: Run, columns: Mapping[str, Sequence[Any]], epochs: Sequence[EpochEnd]
) -> list[Diagnosis]:
    """Return all diagnoses, the worst first; empty where no rule applies.

    Args:
        columns: ``step, loss, lr, grad_norm``: all steps or an even sample of them.
    """
    curve = Curve.of(columns)
    found = [
        _diverging(run, curve) or _not_learning(run, curve, epochs),
        _dead_units(run, epochs),
        _over_fitting(run, epochs),
    ]
    return [diagnosis for diagnosis in found if diagnosis is not None]


def _diverging(run: Run, curve: Curve) -> Diagnosis | None:
    """Detect a loss that is not finite, or has risen far above its lowest value."""
    if not curve.step:
        return None
    chance, blocks = log(run.request.spec.out_classes), curve.blocks()
    at, lowest = min(blocks, key=lambda block: block[1])
    now = blocks[-1][1]
    if run.state == "diverged":
        return Diagnosis(
            "diverging",
            "Diverged",
            f"The gradient norm was typically {median(curve.grad_norm):.3g}, but "
            f"{curve.grad_norm[-1]:.3g} at step {curve.step[-1]:,}, with a learning rate of up to "
            f"{max(curve.lr):.3g}. Continue with a tenth of this rate, or clip the gradients.",
        )
    peak_lr = max(lr for step, lr in zip(curve.step, curve.lr, strict=True) if step >= at)
    if now <= 2 * lowest or now - lowest < chance / 2 or peak_lr == 0:
        return None
    return Diagnosis(
        "diverging",
        "Diverging",
        f"The median of the training loss over {plural(max(1, curve.step[-1] // BLOCKS), 'step')} "
        f"was {lowest:.3g} around step {at:,} and is {now:.3g} in the last ones; guessing has a "
        f"loss of {chance:.3g}. Lower the learning rate (up to {peak_lr:.3g} since then) to a "
        "third or a tenth.",
    )


def _not_learning(run: Run, curve: Curve, epochs: Sequence[EpochEnd]) -> Diagnosis | None:
    """Detect a network that is no better than guessing after many steps."""
    classes = run.request.spec.out_classes
    chance = log(classes)
    if classes == 1 or not curve.step or curve.step[-1] < FEWEST_STEPS:
        return None
    blocks = [loss for _, loss in curve.blocks()]
    best = max((epoch.train_accuracy for epoch in epochs), default=0.0)
    if blocks[-1] < 0.95 * chance or best > 2 / classes:
        return None
    return Diagnosis(
        "not learning",
        "Not learning",
        f"After {curve.step[-1]:,} steps the median of the last training losses is "
        f"{blocks[-1]:.3g}, while guessing has a loss of {chance:.3g}. The three "
        "most common causes, checked for this run:",
        causes_of_not_learning(run, curve.loss, blocks, curve.lr, curve.grad_norm, epochs),
    )


def _dead_units(run: Run, epochs: Sequence[EpochEnd]) -> Diagnosis | None:
    """Detect units after a ReLU that died during training: 0 on every picture, no gradient."""
    initial = run.summary.get("initial_dead_units", {})
    is_early = not epochs or epochs[-1].step < FEWEST_STEPS
    if is_early or epochs[-1].dead_units_images < FEWEST_DEAD_IMAGES:
        return None
    dead = {
        layer: share
        for layer, share in epochs[-1].dead_units.items()
        if share >= DEAD_SHARE and share >= initial.get(layer, 1.0) + DEAD_GROWTH
    }
    if not dead:
        return None
    worst = max(dead, key=dead.__getitem__)
    more = len(dead) - 1
    others = f" The same is true of many units of {plural(more, 'other layer')}." if more else ""
    return Diagnosis(
        "dead units",
        "Dead ReLUs",
        f"{percent(dead[worst], 0)} of the units of {worst} were 0 on each of "
        f"{epochs[-1].dead_units_images} pictures after epoch {epochs[-1].epoch} "
        f"({percent(initial[worst], 0)} before training): they get no gradient.{others} "
        "Lower the learning rate, add a normalisation before the ReLU, or use a leaky ReLU.",
    )


def _over_fitting(run: Run, epochs: Sequence[EpochEnd]) -> Diagnosis | None:
    """Detect a validation loss that rose above its minimum while the training loss fell."""
    measured = [
        (epoch.val_loss, epoch.val_accuracy, epoch)
        for epoch in epochs
        if epoch.val_loss is not None and epoch.val_accuracy is not None
    ]
    if len(measured) < 3:
        return None
    lowest_loss, best_accuracy, best = min(measured, key=lambda each: each[0])
    last_loss, last_accuracy, last = measured[-1]
    is_worse = min(loss for loss, _, _ in measured[-2:]) > WORSE_VALIDATION * lowest_loss
    if last.epoch - best.epoch < 2 or not is_worse or last.train_loss >= best.train_loss:
        return None
    recipe = run.request.recipe
    terms = recipe.training_loss_terms
    with_terms = f" (with {' and '.join(terms)})" if terms else ""
    remedies = "augment the pictures, or add dropout or weight decay."
    advice = f"stop earlier (patience), {remedies}" if recipe.patience is None else remedies
    return Diagnosis(
        "over-fitting",
        f"Over-fitting since epoch {best.epoch}",
        f"From epoch {best.epoch} to epoch {last.epoch}, the validation loss rose from "
        f"{lowest_loss:.3g} to {last_loss:.3g} and the validation accuracy went from "
        f"{percent(best_accuracy)} to {percent(last_accuracy)}, while the training "
        f"loss{with_terms} fell from {best.train_loss:.3g} to {last.train_loss:.3g}. "
        f"{advice[0].upper()}{advice[1:]}",
    )

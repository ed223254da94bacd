"""Rules that diagnose a training from its recorded numbers.

Every rule compares a run with itself and with guessing: equal probabilities for all classes have a
cross-entropy of ``ln(classes)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from statistics import median
from typing import TYPE_CHECKING, Any

from cnnlib.diagnosis.causes import causes_of_not_learning
from cnnlib.records.diagnosis import Diagnosis
from cnnlib.units import percent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cnnlib.records.events import EpochEnd
    from cnnlib.records.run import Run

BLOCKS = 12  # parts of a curve, each reduced to its median
FEWEST_STEPS = 100  # before it, "not learning" is not diagnosed
DEAD_SHARE = 0.4  # share of a layer's units; fewer are harmless
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
        _dead_units(epochs),
        _over_fitting(epochs),
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
            "It diverged",
            f"The gradient norm was {median(curve.grad_norm):.3g} as a rule and "
            f"{curve.grad_norm[-1]:.3g} at step {curve.step[-1]:,}, with a learning rate of "
            f"{curve.lr[-1]:.3g}. Continue with a tenth of it, or clip the gradients.",
        )
    if now <= 2 * lowest or now - lowest < chance / 2:
        return None
    return Diagnosis(
        "diverging",
        "Diverging",
        f"The loss was {lowest:.3g} around step {at:,} and is {now:.3g} now; guessing gives "
        f"{chance:.3g}. Lower the learning rate (now {curve.lr[-1]:.3g}) to a third or a tenth.",
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
        f"After {curve.step[-1]:,} steps the loss is {blocks[-1]:.3g}, and guessing gives "
        f"{chance:.3g}. The three usual reasons, held against this run:",
        causes_of_not_learning(run, curve.loss, blocks, curve.lr, curve.grad_norm, epochs),
    )


def _dead_units(epochs: Sequence[EpochEnd]) -> Diagnosis | None:
    """Detect units behind a ReLU that are 0 on every picture: they have no gradient."""
    shares = epochs[-1].dead_units if epochs else {}
    dead = {layer: share for layer, share in shares.items() if share >= DEAD_SHARE}
    if not dead:
        return None
    worst = max(dead, key=dead.__getitem__)
    more = len(dead) - 1
    others = f" So are many of {more} other layer{'' if more == 1 else 's'}." if more else ""
    return Diagnosis(
        "dead units",
        "Dead ReLUs",
        f"{percent(dead[worst], 0)} of the units of {worst} were 0 on every picture looked at "
        f"after epoch {epochs[-1].epoch}: they get no gradient and learn nothing more.{others} "
        "Lower the learning rate, put a normalisation before the ReLU, or use a leaky one.",
    )


def _over_fitting(epochs: Sequence[EpochEnd]) -> Diagnosis | None:
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
    return Diagnosis(
        "over-fitting",
        f"Over-fitting since epoch {best.epoch}",
        f"The validation loss was lowest then ({lowest_loss:.3g}) and is {last_loss:.3g} "
        f"after epoch {last.epoch}, while the training loss fell from {best.train_loss:.3g} to "
        f"{last.train_loss:.3g}; validation accuracy {percent(best_accuracy)} then, "
        f"{percent(last_accuracy)} now. Stop earlier (patience), augment the pictures, or "
        "add dropout or weight decay.",
    )

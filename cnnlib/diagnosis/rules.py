"""Rules that diagnose a training from its recorded numbers.

Every rule compares a run with itself and with guessing: equal probabilities for all classes have a
cross-entropy of ``ln(classes)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log
from statistics import fmean, median, median_high
from typing import Any

from cnnlib.diagnosis.causes import causes_of_not_learning, rate_is_too_high
from cnnlib.diagnosis.curve import BLOCKS, Curve
from cnnlib.diagnosis.lower_rate import known_rate, rate_advice
from cnnlib.records.diagnosis import Diagnosis
from cnnlib.records.events import EpochEnd
from cnnlib.records.run import Run
from cnnlib.units import percent, plural

FEWEST_STEPS = 100  # before it, neither "not learning" nor dead units are diagnosed
DEAD_SHARE = 0.4  # share of a layer's units; fewer are harmless
DEAD_GROWTH = 0.2  # more than in the untrained network, where some units are dead by chance
FEWEST_DEAD_IMAGES = 100  # a unit that is 0 on fewer pictures may be alive on others
# Factor on the lowest smoothed validation loss. In 42 runs on real pictures, learning runs reached
# 1.12 for two epochs at a high learning rate and recovered.
WORSE_VALIDATION = 1.15
NOISE = 2  # times the scatter of the validation loss from epoch to epoch


def diagnose(
    run: Run, columns: Mapping[str, Sequence[Any]], epochs: Sequence[EpochEnd]
) -> list[Diagnosis]:
    """Return all diagnoses, the worst first; empty where no rule applies.

    Args:
        columns: ``step, loss, lr, grad_norm``: all steps or an even sample of them.
    """
    curve = Curve.of(columns)
    failure = _diverging(run, curve) or _not_learning(run, curve, epochs)
    # Units die where a rate is too high: then they are no problem of their own.
    is_consequence = failure is not None and (
        failure.kind == "diverging" or rate_is_too_high(run, curve.loss, curve.lr)
    )
    found = [
        failure,
        None if is_consequence else _dead_units(run, epochs, max(curve.lr, default=0.0)),
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
        rate = max(curve.lr)
        return Diagnosis(
            "diverging",
            "Diverged",
            f"The gradient norm was typically {median(curve.grad_norm):.3g}, but "
            f"{curve.grad_norm[-1]:.3g} at step {curve.step[-1]:,}, with a learning rate of up to "
            f"{rate:.3g}. Train with {rate_advice(run, rate)}, or clip the gradients.",
        )
    peak_lr = max(lr for step, lr in zip(curve.step, curve.lr, strict=True) if step >= at)
    if now <= 2 * lowest or now - lowest < chance / 2 or peak_lr == 0:
        return None
    return Diagnosis(
        "diverging",
        "Diverging",
        f"The median of the training loss over {plural(max(1, curve.step[-1] // BLOCKS), 'step')} "
        f"was {lowest:.3g} around step {at:,} and is {now:.3g} in the last ones; guessing has a "
        f"loss of {chance:.3g}. Lower the learning rate (up to {peak_lr:.3g} since then) to "
        f"{rate_advice(run, peak_lr)}.",
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


def _dead_units(run: Run, epochs: Sequence[EpochEnd], lr: float) -> Diagnosis | None:
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
    known = known_rate(run, lr)
    to = f" to {known.lr:g}, {known.source}" if known else ""
    more = len(dead) - 1
    others = f" The same is true of many units of {plural(more, 'other layer')}." if more else ""
    return Diagnosis(
        "dead units",
        "Dead ReLUs",
        f"{percent(dead[worst], 0)} of the units of {worst} were 0 on each of "
        f"{epochs[-1].dead_units_images} pictures after epoch {epochs[-1].epoch} "
        f"({percent(initial[worst], 0)} before training): they get no gradient.{others} "
        f"Lower the learning rate{to}, add a normalisation before the ReLU, or use a leaky ReLU.",
    )


def _over_fitting(run: Run, epochs: Sequence[EpochEnd]) -> Diagnosis | None:
    """Detect a validation loss that rose beyond its noise while the training loss fell.

    Each loss is smoothed by the median over the epoch and its neighbours, so that one epoch alone
    is neither the minimum nor the rise; the noise is what the smoothing takes away.
    """
    measured = [
        (epoch.val_loss, epoch.val_accuracy, epoch)
        for epoch in epochs
        if epoch.val_loss is not None and epoch.val_accuracy is not None
    ]
    if len(measured) < 4:
        return None
    losses = [loss for loss, _, _ in measured]
    smoothed = [median_high(losses[max(0, at - 1) : at + 2]) for at in range(len(losses))]
    noise = fmean((one - two) ** 2 for one, two in zip(losses, smoothed, strict=True)) ** 0.5
    lowest, now = min(smoothed), min(losses[-2:])
    at = smoothed.index(lowest)
    lowest_loss, best_accuracy, best = min(
        measured[max(0, at - 1) : at + 2], key=lambda each: each[0]
    )
    last_loss, last_accuracy, last = measured[-1]
    is_worse = now > WORSE_VALIDATION * lowest and now - lowest > NOISE * noise
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

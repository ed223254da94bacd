"""Three common causes of a network that does not learn, each checked against a run's numbers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import log
from statistics import median

from cnnlib.design.spec import CNNSpec
from cnnlib.diagnosis.lower_rate import known_rate, rate_advice
from cnnlib.records.diagnosis import Check
from cnnlib.records.events import EpochEnd
from cnnlib.records.run import Run
from cnnlib.units import percent, plural
from cnnlib.vocabulary.layers import ACTIVATIONS, NONE

NO_GRADIENT = 1e-3  # norms below it hardly change the weights
HIGH = 10  # times a rate that is known to train
DEEP, DEEP_SATURATING = 9, 4  # layers with weights


def causes_of_not_learning(
    run: Run,
    loss: Sequence[float],
    blocks: Sequence[float],
    lr: Sequence[float],
    grad_norm: Sequence[float],
    epochs: Sequence[EpochEnd],
) -> tuple[Check, ...]:
    """Check learning rate, gradient and dead units, and depth.

    Args:
        loss, lr, grad_norm: Values of the recorded steps, or an even sample of them.
        blocks: The medians of `curve.BLOCKS` parts of the loss curve.
    """
    too_high = _too_high(run, loss, max(lr))
    return (
        _check_learning_rate(run, loss, blocks, max(lr), too_high),
        _check_gradient(grad_norm, epochs, is_rate_too_high=bool(too_high)),
        _check_depth(run.request.spec, median(grad_norm)),
    )


def rate_is_too_high(run: Run, loss: Sequence[float], lr: Sequence[float]) -> bool:
    """Return whether too high a learning rate explains that a run does not learn."""
    return bool(_too_high(run, loss, max(lr)))


def _too_high(run: Run, loss: Sequence[float], lr: float) -> str:
    """Return the sign of a learning rate that is too high as a clause; "" without one."""
    chance, known = log(run.request.spec.out_classes), known_rate(run, lr)
    if max(loss) > 2 * chance and lr:
        return f"the loss reached {max(loss):.3g}, far above the {chance:.3g} of guessing"
    if known is not None and lr >= HIGH * known.lr:
        return f"it is {lr:.3g}, and the loss stayed near the {chance:.3g} of guessing"
    return ""


def _check_learning_rate(
    run: Run, loss: Sequence[float], blocks: Sequence[float], lr: float, too_high: str
) -> Check:
    """Check for a learning rate that is too high or too low."""
    question = "Is the learning rate wrong?"
    if lr == 0:
        return Check(
            question, True, "Yes: it is 0, so the weights do not change. Set a higher one."
        )
    fall = blocks[0] - blocks[-1]
    if too_high:
        return Check(question, True, f"Probably too high: {too_high}. Try {rate_advice(run, lr)}.")
    falls = sum(after < before for before, after in itertools.pairwise(blocks))
    if fall > 0 and falls >= 0.8 * (len(blocks) - 1):
        return Check(
            question,
            True,
            f"Probably too low: the loss falls steadily, but only by {fall:.2g} so far. Try "
            f"ten times {lr:.3g}.",
        )
    return Check(
        question,
        False,
        f"Probably not: with {lr:.3g}, the loss neither jumped (at most {max(loss):.3g}) nor fell "
        f"steadily (by {fall:.2g} in total).",
    )


def _check_gradient(
    grad_norm: Sequence[float], epochs: Sequence[EpochEnd], *, is_rate_too_high: bool
) -> Check:
    """Check for dead units and a vanishing gradient."""
    question = "Is the gradient almost zero (dead units, uninformative inputs)?"
    norm = median(grad_norm[-max(1, len(grad_norm) // 4) :])
    shares = epochs[-1].dead_units if epochs else {}
    worst = max(shares, key=shares.__getitem__, default=None)
    if worst is not None and shares[worst] >= 0.9 and is_rate_too_high:
        return Check(
            question,
            False,
            f"{percent(shares[worst], 0)} of the units of {worst} are 0 on every picture, but such "
            "a learning rate does that: it is no cause of its own.",
        )
    if worst is not None and shares[worst] >= 0.9:
        return Check(
            question,
            True,
            f"Yes: {percent(shares[worst], 0)} of the units of {worst} are 0 on every picture. Use "
            "another initialisation, a normalisation, or a leaky activation.",
        )
    if norm < NO_GRADIENT:
        return Check(
            question,
            True,
            f"Yes: the gradient norm is {norm:.2g}, so the weights barely change. Check the "
            "pictures and labels on the Data page.",
        )
    return Check(question, False, f"No: the gradient norm is {norm:.2g}.")


def _check_depth(spec: CNNSpec, norm: float) -> Check:
    """Check for a deep network without normalisation and skips."""
    question = "Is it too deep without normalisation or skip connections?"
    layers = len(spec.channels) + len(spec.hidden_dims) + 1
    most = DEEP_SATURATING if ACTIVATIONS[spec.activation].saturates else DEEP
    remedies = [
        remedy
        for remedy, is_used in (
            ("skip connections", spec.block != "plain"),
            ("normalisation", spec.norm != NONE),
        )
        if is_used
    ]
    if remedies:
        return Check(question, False, f"No: the network has {' and '.join(remedies)}.")
    if layers < most:
        return Check(
            question,
            False,
            f"No: a network with {plural(layers, 'layer')} with weights is not deep.",
        )
    return Check(
        question,
        True,
        f"Possibly: {layers} layers with {spec.activation} between them, no normalisation, no skip "
        f"connections, and a gradient norm of {norm:.2g}. Add batch normalisation or residual "
        "blocks.",
    )

"""Learning-rate schedules, and the division of epochs into batches."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnlib.records.recipe import Recipe
    from cnnlib.train.checkpoint import Progress

# First and last rate of one-cycle, as fractions of the highest rate (div_factor and
# final_div_factor of torch's OneCycleLR).
_ONE_CYCLE_START = 1 / 25
_ONE_CYCLE_END = _ONE_CYCLE_START / 1e4


def factor(recipe: Recipe, *, step: int, total_steps: int, epoch: int) -> float:
    """Return the factor of the learning rate for one update.

    Args:
        step: Updates done before this one, 0..total_steps - 1.
        total_steps: Updates of the whole run; a fork with more epochs stretches cosine and
            one-cycle, from its first step on.
        epoch: Epochs finished before this update.

    Returns:
        A number in 0..1.
    """
    return _FACTORS[recipe.schedule](recipe, step, total_steps, epoch)


def _constant(recipe: Recipe, step: int, total_steps: int, epoch: int) -> float:
    return 1.0


def _step_decay(recipe: Recipe, step: int, total_steps: int, epoch: int) -> float:
    return recipe.step_factor ** (epoch // recipe.step_epochs)


def _cosine(recipe: Recipe, step: int, total_steps: int, epoch: int) -> float:
    return _cosine_interpolate(1.0, 0.0, step / max(1, total_steps))


def _one_cycle(recipe: Recipe, step: int, total_steps: int, epoch: int) -> float:
    """Return the one-cycle factor: a rise over the recipe's ``warmup``, a share of the run, then a
    fall to almost 0 (Smith & Topin 2018).

    A warm-up of at most one step has no rise: the first step has the highest rate.
    """
    peak = recipe.warmup * total_steps - 1
    last = max(1, total_steps - 1)
    if step < peak:
        return _cosine_interpolate(_ONE_CYCLE_START, 1.0, step / peak)
    peak = max(0.0, peak)
    return _cosine_interpolate(
        1.0, _ONE_CYCLE_END, min(1.0, (step - peak) / max(1e-9, last - peak))
    )


def _cosine_interpolate(start: float, end: float, fraction: float) -> float:
    """Interpolate from ``start`` to ``end`` along half a cosine wave."""
    return end + (start - end) * (1 + math.cos(math.pi * fraction)) / 2


_FACTORS = {
    "constant": _constant,
    "step": _step_decay,
    "cosine": _cosine,
    "one_cycle": _one_cycle,
}


def batch_ends(count: int, batch_size: int, start: int = 0) -> list[int]:
    """Return the ends of an epoch's batches, as positions in its order.

    The last batch is short where the batch size does not divide the count. A last batch of ONE
    picture is merged with the batch before it, for every network: batch norm cannot normalise a
    single value, no picture is left out, and all designs are trained on the same batches.

    Args:
        count: Pictures in an epoch.
        start: Position at which the epoch is continued.

    Example:
        >>> batch_ends(10, 4), batch_ends(9, 4), batch_ends(9, 4, start=4)
        ([4, 8, 10], [4, 9], [9])
    """
    ends = list(range(start + batch_size, count, batch_size)) + [count] * (start < count)
    if batch_size > 1 and len(ends) > 1 and ends[-1] - ends[-2] == 1:
        del ends[-2]
    return ends


def step_count(count: int, batch_size: int, epochs: int, start: int = 0) -> int:
    """Return the number of steps from a position in the first of ``epochs`` epochs to the end."""
    if epochs < 1:
        return 0
    whole = len(batch_ends(count, batch_size))
    return len(batch_ends(count, batch_size, start)) + (epochs - 1) * whole


def total_step_count(recipe: Recipe, progress: Progress, count: int) -> int:
    """Return the number of steps of a whole run, those before a continuation included.

    Args:
        progress: Where the run begins or continues.
        count: Pictures in an epoch.
    """
    epochs = max(0, recipe.epochs - progress.epoch)
    total = progress.step + step_count(count, recipe.batch_size, epochs, progress.position)
    return total if recipe.max_batches is None else min(total, recipe.max_batches)

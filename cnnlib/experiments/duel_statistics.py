"""The statistics of a duel: a group-sequential sign-flip test on paired differences."""

from __future__ import annotations

from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from cnnlib.errors import RecipeError
from cnnlib.experiments.group_sequential import (
    BETTER,
    FIRST_LOOK,
    MOST_PAIRS,
    SAME,
    crossing,
    first_verdict,
)
from cnnlib.records.compare import Forecast, Look, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.experiments.group_sequential import Spending

DEFAULT_MOST_PAIRS = 20
DEFAULT_WITHIN = 0.001  # a tenth of a point
FORECAST = (0.005, 0.01, 0.03)  # differences whose number of pairs is forecast
# Pairs that find a difference of d standard deviations in four of five duels: 13 / d^2 + 3, as
# simulated in bench/duels.py for normal differences.
_PAIRS_PER_SQUARE, _PAIRS_BEFORE = 13, 3
_LONGEST_FORECAST = 10 * MOST_PAIRS


def check_pairs(most_pairs: int) -> None:
    """Check the number of pairs that is fixed before a duel starts.

    Raises:
        RecipeError: It is out of range.
    """
    if not FIRST_LOOK <= most_pairs <= MOST_PAIRS:
        raise RecipeError(
            f"The maximum number of pairs is {most_pairs}. It must be from {FIRST_LOOK} to "
            f"{MOST_PAIRS}. Choose a number in this range."
        )


def judge(
    differences: Sequence[float],
    *,
    most_pairs: int = DEFAULT_MOST_PAIRS,
    within: float = DEFAULT_WITHIN,
    resolution: float = 0.0,
) -> Verdict:
    """Compute the verdict after the pairs so far; pairs after the deciding one do not count.

    Args:
        differences: B minus A of each pair, in the order of their seeds, fractions.
        most_pairs: Fixed before the first pair; with fewer than 6 no verdict is possible.
        within: Differences up to this are "the same"; 0: none are.
        resolution: Smallest step of one result (1 / test pictures); a duel does not find designs
            to be the same within less.
    """
    return _judge(tuple(map(float, differences)), most_pairs, within, resolution)


@lru_cache(maxsize=256)
def _judge(
    differences: tuple[float, ...], most_pairs: int, within: float, resolution: float
) -> Verdict:
    pairs, outcome = decide(differences, most_pairs, within, resolution)
    values = np.array(differences[:pairs])
    test = SAME if outcome == "same" else BETTER
    looks = _looks(values, most_pairs, within, test)
    mean = float(values.mean()) if pairs else 0.0
    sd = float(values.std(ddof=1)) if pairs > 1 else None
    is_undecided = outcome in ("open", "untold")
    earliest = first_verdict(most_pairs) or FIRST_LOOK
    margin = within if within >= resolution else 0.0  # below one picture, none are found equal
    return Verdict(
        outcome=outcome,
        pairs=pairs,
        most_pairs=most_pairs,
        mean=mean,
        sd=sd,
        low=looks[-1].low if looks else None,
        high=looks[-1].high if looks else None,
        level=1 - test.error,
        within=within,
        resolution=resolution,
        more_pairs=_more_pairs(mean, sd, pairs, margin, earliest) if is_undecided else None,
        looks=looks,
        forecast=tuple(Forecast(each, pairs_needed(each, sd, earliest)) for each in FORECAST)
        if sd
        else (),
    )


def decide(
    differences: Sequence[float] | np.ndarray,
    most_pairs: int,
    within: float,
    resolution: float = 0.0,
) -> tuple[int, Outcome]:
    """Decide a duel.

    Returns:
        The number of pairs that count, and the outcome after them.
    """
    values = np.asarray(differences, dtype=float)[:most_pairs]
    won, sign = crossing(values, most_pairs)
    same = 0
    if within and within >= resolution:
        above, upwards = crossing(values + within, most_pairs, SAME)
        below, downwards = crossing(values - within, most_pairs, SAME)
        same = max(above, below) if (upwards, downwards) == (1, -1) else 0
    # A seed beyond `_LARGEST` may move the mean to the other side: then nothing is called better.
    is_won = won and sign * values[:won].mean() > 0
    if is_won and (not same or won <= same):
        return won, "b" if sign > 0 else "a"
    if same:
        return same, "same"
    return len(values), "untold" if len(values) >= most_pairs else "open"


def pairs_needed(difference: float, sd: float, earliest: int = FIRST_LOOK) -> int | None:
    """Forecast the pairs with which a duel finds a difference in four of five cases.

    Args:
        difference: The true difference, a fraction above 0.
        sd: Standard deviation of the differences of the pairs.
        earliest: The pair from which on a verdict is possible, from `first_verdict`.

    Returns:
        None for more than 1,000 pairs.

    Example:
        >>> pairs_needed(0.01, sd=0.01), pairs_needed(0.01, sd=0.001)
        (16, 6)
    """
    needed = _PAIRS_PER_SQUARE * (sd / difference) ** 2 + _PAIRS_BEFORE
    if needed > _LONGEST_FORECAST:
        return None
    return max(ceil(needed - 1e-9), earliest)  # 29.000000001 by rounding is 29


def most_unseen(collapsed: int, seeds: int, level: float = 1 - BETTER.error) -> float:
    """Compute an upper bound of the share of seeds that collapse (Clopper & Pearson 1934).

    Args:
        collapsed: Seeds that collapsed, of ``seeds``.

    Example:
        >>> round(most_unseen(0, 12), 3)  # 1 - 0.05^(1/12)
        0.221
    """
    from scipy.special import betaincinv  # SciPy takes long to import

    return 1.0 if collapsed >= seeds else float(betaincinv(collapsed + 1, seeds - collapsed, level))


def count_collapsed(accuracies: Sequence[float], classes: int) -> int:
    """Count the seeds that collapsed: they learned less than half of what the best seed did.

    A design whose best seed learned less than a tenth of all there is has no collapsed seeds: it
    does not learn.

    Args:
        accuracies: Of the seeds of one design, fractions.
        classes: A network that learned nothing is right in 1 of so many cases.

    Example:
        >>> count_collapsed([0.98, 0.97, 0.98, 0.11], classes=10)  # half way from 0.1 is 0.54
        1
    """
    if not accuracies or learned_nothing(accuracies, classes):
        return 0
    chance = 1 / classes
    learned = max(accuracies) - chance
    return sum(each < chance + learned / 2 for each in accuracies)


def learned_nothing(accuracies: Sequence[float], classes: int) -> bool:
    """Whether the best seed of a design learned less than a tenth of all there is to learn.

    Args:
        accuracies: Of its seeds, fractions; False without any.

    Example:
        >>> learned_nothing([0.097, 0.104], classes=10), learned_nothing([0.1, 0.9], classes=10)
        (True, False)
    """
    chance = 1 / classes
    return bool(accuracies) and max(accuracies) - chance < (1 - chance) / 10


def _looks(values: np.ndarray, most_pairs: int, within: float, test: Spending) -> tuple[Look, ...]:
    """Compute mean and sequential interval after each pair; no ends while nothing is excluded.

    The ends are the outermost centres that are not excluded, among the differences, their
    midpoints, zero and the margins.
    """
    if not len(values):
        return ()
    found = np.unique(values)
    beyond = max(float(np.ptp(values)), 1e-6) * 1e-3
    edges = [found[0] - beyond, found[-1] + beyond, -within, 0.0, within]
    centres = np.unique([*found, *((found[1:] + found[:-1]) / 2), *edges])
    rejections = [(crossing(values - centre, most_pairs, test), centre) for centre in centres]
    looks = []
    for pairs in range(1, len(values) + 1):
        above = [centre for (pair, sign), centre in rejections if sign > 0 and pair <= pairs]
        below = [centre for (pair, sign), centre in rejections if sign < 0 and pair <= pairs]
        mean = float(values[:pairs].mean())
        low, high = (float(max(above)), float(min(below))) if above and below else (None, None)
        looks.append(Look(pairs, mean, low, high))
    return tuple(looks)


def _more_pairs(
    mean: float, sd: float | None, pairs: int, within: float, earliest: int
) -> int | None:
    """Estimate how many more pairs would decide, if mean and spread stay the same."""
    if sd is None:
        return None
    distances = [abs(mean)] if mean else []
    if abs(mean) < within:
        distances.append(within - abs(mean))
    counts = [pairs_needed(each, sd, earliest) for each in distances]
    needed = [count for count in counts if count is not None]
    return max(1, min(needed) - pairs) if needed else None

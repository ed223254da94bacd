"""The statistics of a duel: a group-sequential test on paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from cnnlib.errors import RecipeError
from cnnlib.experiments.group_sequential import ERROR, FIRST_LOOK, MOST_PAIRS, bounds
from cnnlib.records.compare import Look, Outcome, Verdict

DEFAULT_MOST_PAIRS = 20
DEFAULT_WITHIN = 0.001  # a tenth of a point
LEVEL = 0.95  # of the intervals: in simulations the error is below 5 % (bench/duels.py)
SAME_LEVEL = 0.90  # two one-sided tests, each with the error level of the duel


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
        within: Differences up to this are "the same"; 0: none are.
        resolution: Smallest step of one result (1 / test pictures), a lower limit of the measured
            spread.

    Raises:
        RecipeError: ``most_pairs`` is out of range.
    """
    check_pairs(most_pairs)
    values = np.asarray(differences, dtype=float)[None, :most_pairs]
    decided, code = decisions(values, most_pairs, within, resolution)
    pairs = int(decided[0]) if code[0] else values.shape[1]
    means, spreads, errors = running(values[:, :pairs], resolution)
    outcome = _outcome(int(code[0]), pairs, most_pairs)
    low, high = _interval(means[0], errors[0], most_pairs, outcome == "same")
    return Verdict(
        outcome=outcome,
        pairs=pairs,
        most_pairs=most_pairs,
        mean=float(means[0, -1]) if pairs else 0.0,
        sd=float(spreads[0, -1]) if pairs > 1 else None,
        low=low[-1] if low else None,
        high=high[-1] if high else None,
        level=SAME_LEVEL if outcome == "same" else LEVEL,
        within=within,
        more_pairs=None if code[0] else _more_pairs(means, spreads, pairs, most_pairs, within),
        looks=tuple(
            Look(pair + 1, float(means[0, pair]), low[pair], high[pair]) for pair in range(pairs)
        ),
    )


def decisions(
    differences: np.ndarray, most_pairs: int, within: float, resolution: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Decide many duels at once: the deciding pair and the outcome of each.

    Args:
        differences: N x pairs, B minus A.

    Returns:
        The pair after which each ends (N; 0: undecided), and the outcome (N): 0 undecided, 1 B is
        better, -1 A is better, 2 the same.
    """
    means, _, errors = running(differences, resolution)
    means, errors = means[:, FIRST_LOOK - 1 :], errors[:, FIRST_LOOK - 1 :]
    looks = means.shape[1]
    if looks == 0:
        nothing = np.zeros(len(differences), dtype=int)
        return nothing, nothing
    win = np.abs(means) > _reaches(most_pairs, ERROR)[:looks] * errors
    same = np.abs(means) + _reaches(most_pairs, 2 * ERROR)[:looks] * errors < within
    first = np.argmax(win | same, axis=1)
    rows = np.arange(len(differences))
    is_over = (win | same)[rows, first]
    outcome = np.where(win[rows, first], np.sign(means[rows, first]), 2).astype(int)
    return np.where(is_over, first + FIRST_LOOK, 0), np.where(is_over, outcome, 0)


def running(
    differences: np.ndarray, resolution: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute mean, standard deviation and standard error after each pair of many duels.

    A result is rounded to whole pictures, which adds a variance of resolution^2 / 12 to each side
    of a difference. So the variance of a difference is set to at least resolution^2 / 6.

    Args:
        differences: N x pairs.

    Returns:
        Three arrays of N x pairs; the second and third are 0 at the first pair.
    """
    counts = np.arange(1, differences.shape[1] + 1)
    means = np.cumsum(differences, axis=1) / counts
    # Welford's sum: the contribution of each value, from the means before and after it.
    before = np.concatenate([np.zeros((len(means), 1)), means[:, :-1]], axis=1)
    squares = np.cumsum((differences - before) * (differences - means), axis=1)
    variance = np.maximum(squares, 0.0) / np.maximum(counts - 1, 1)
    spreads = np.sqrt(np.where(counts > 1, np.maximum(variance, resolution**2 / 6), 0.0))
    return means, spreads, spreads / np.sqrt(counts)


@lru_cache(maxsize=64)
def _reaches(most_pairs: int, error: float) -> np.ndarray:
    """Return the bounds as an array."""
    return np.array(bounds(most_pairs, error))


_OUTCOMES: dict[int, Outcome] = {1: "b", -1: "a", 2: "same"}


def _outcome(code: int, pairs: int, most_pairs: int) -> Outcome:
    """Return the outcome of a duel from its code in `decisions`."""
    if code:
        return _OUTCOMES[code]
    return "untold" if pairs >= most_pairs else "open"


def _interval(
    means: np.ndarray, errors: np.ndarray, most_pairs: int, one_sided: bool
) -> tuple[list[float | None], list[float | None]]:
    """Compute the sequential interval after each pair; None before the first look."""
    reach = _reaches(most_pairs, ERROR * (2 if one_sided else 1))[: max(0, len(means) - 2)]
    none: list[float | None] = [None] * min(len(means), FIRST_LOOK - 1)
    seen, error = means[FIRST_LOOK - 1 :], errors[FIRST_LOOK - 1 :]
    return none + list(map(float, seen - reach * error)), none + list(
        map(float, seen + reach * error)
    )


def _more_pairs(
    means: np.ndarray, spreads: np.ndarray, pairs: int, most_pairs: int, within: float
) -> int | None:
    """Estimate how many more pairs would decide, if mean and spread stay the same."""
    if pairs < 2:
        return None
    mean, sd = abs(float(means[0, -1])), float(spreads[0, -1])
    for count in range(max(pairs + 1, FIRST_LOOK), 10 * MOST_PAIRS + 1):
        error = sd / count**0.5
        look = min(count, most_pairs) - FIRST_LOOK
        if mean > _reaches(most_pairs, ERROR)[look] * error:
            return count - pairs
        if mean + _reaches(most_pairs, 2 * ERROR)[look] * error < within:
            return count - pairs
    return None

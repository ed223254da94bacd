"""Group-sequential boundaries: looking after every pair without raising the error rate.

Who looks at a test after every pair of runs and stops at the first "significant" one finds a winner
between two equal designs far more often than the 5 % that each look promises. A group-sequential
boundary is higher at each look, so that all looks together keep the promise.

The error is spent over the looks by a spending function (Lan & DeMets, "Discrete sequential
boundaries for clinical trials", Biometrika 70, 1983). For normal numbers of known spread the
bounds follow by recursive integration (Armitage, McPherson & Rowe 1969). The spread of a duel is
estimated, so each bound's two-sided level is carried over to Student's t with n - 1 degrees of
freedom (Pocock 1977; Jennison & Turnbull, "Group Sequential Methods", 2000, sections 4.4 and
11.4). That is close, not exact: set for 4 %, simulation finds below 5 % (``bench/duels.py``).

The bounds times the standard error are the ends of a repeated confidence interval; two designs are
called the same where the one of two one-sided tests lies inside what counts as the same (Jennison
& Turnbull, "Sequential equivalence testing and repeated confidence intervals", Biometrics 49,
1993).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import ndtr, stdtrit

FIRST_LOOK = 3  # pairs
MOST_PAIRS = 100
ERROR = 0.04  # of all looks together, set before the t approximation
_MIDDLE = 0.6  # share of the pairs until which most of the error is spent: 12 of 20
_MOST = 0.85
_GRID = 401


def spent(share: np.ndarray) -> np.ndarray:
    """Share of the error that is spent when a share of all pairs has been looked at, both 0..1.

    Little on the first looks, where two degrees of freedom would waste it; most by 12 of 20 pairs;
    the rest evenly. Of the shapes that were tried (``bench/duels.py`` tabulates them), this one
    calls large differences by 8 pairs, middling ones by 20, and equality by 12.
    """
    return _MOST * np.minimum(1.0, (share / _MIDDLE) ** 4) + (1 - _MOST) * share


@lru_cache(maxsize=64)
def bounds(most_pairs: int, error: float = ERROR) -> tuple[float, ...]:
    """The boundary of Student's t at each look, from the third pair to the last.

    Args:
        most_pairs: Fixed before the first pair; at least 3.
        error: Of all looks together, both sides.

    Example:
        >>> len(bounds(20)), round(bounds(3)[0], 1)
        (18, 4.8)
    """
    pairs = np.arange(FIRST_LOOK, most_pairs + 1)
    levels = nominal_levels(error * spent(pairs / most_pairs), pairs / most_pairs)
    return tuple(float(bound) for bound in -stdtrit(pairs - 1, levels / 2))


def nominal_levels(spending: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Two-sided level of each look at a sum of normal numbers, by recursive integration.

    Args:
        spending: K, error spent up to each look, rising.
        shares: K, information at each look as a share of the last one's, rising.

    Returns:
        K two-sided levels.
    """
    levels = np.empty(len(shares))
    places, weights = np.zeros(1), np.ones(1)  # of the sum, and how likely it is, before a look
    before_share = before_spent = 0.0
    for look, (share, total) in enumerate(zip(shares, spending, strict=True)):
        step = np.sqrt(share - before_share)
        bound = _bound(places / step, weights, total - before_spent) * step
        levels[look] = 2 * ndtr(-bound / np.sqrt(share))
        grid = np.linspace(-bound, bound, _GRID)
        density = _normal_density((grid[:, None] - places) / step) @ weights / step
        places, weights = grid, density * (grid[1] - grid[0])
        weights[[0, -1]] /= 2  # trapezoids
        before_share, before_spent = share, total
    return levels


def _bound(places: np.ndarray, weights: np.ndarray, error: float) -> float:
    """The bound that the next sum exceeds with probability ``error``, both sides together."""
    low, high = 0.0, 60.0
    for _ in range(60):
        middle = (low + high) / 2
        beyond = 2 * float(weights @ ndtr(places - middle))
        low, high = (middle, high) if beyond > error else (low, middle)
    return high


def _normal_density(z: np.ndarray) -> np.ndarray:
    return np.exp(-z * z / 2) / np.sqrt(2 * np.pi)

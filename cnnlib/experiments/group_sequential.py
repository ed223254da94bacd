"""Group-sequential boundaries: a test after every pair without a higher error rate.

A test after every pair of runs that stops at the first "significant" result finds a winner between
two equal designs far more often than the 5 % level of each look. A group-sequential boundary is
higher at each look, so that the level holds for all looks together.

The error is spent over the looks by a spending function (Lan & DeMets, "Discrete sequential
boundaries for clinical trials", Biometrika 70, 1983). For normal numbers of known spread the
bounds follow by recursive integration (Armitage, McPherson & Rowe 1969). The spread of a duel is
estimated, so each bound's two-sided level is transferred to Student's t with n - 1 degrees of
freedom (Pocock 1977; Jennison & Turnbull, "Group Sequential Methods", 2000, sections 4.4 and
11.4). This is an approximation: set for 4 %, simulations give less than 5 % (``bench/duels.py``).

The bounds times the standard error are the ends of a repeated confidence interval; two designs are
called the same where the interval of two one-sided tests lies within the margin (Jennison
& Turnbull, "Sequential equivalence testing and repeated confidence intervals", Biometrics 49,
1993).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import ndtr, stdtrit

FIRST_LOOK = 3  # pairs
MOST_PAIRS = 100
ERROR = 0.04  # level of all looks together, before the t approximation
_MIDDLE = 0.6  # share of the pairs by which `_MOST` of the error is spent: 12 of 20
_MOST = 0.85
_GRID = 401  # points of the integration


def spent(share: np.ndarray) -> np.ndarray:
    """Return the share of the error that is spent after a share of all pairs, both 0..1.

    Little is spent on the first looks, where two degrees of freedom would waste it, most by 12 of
    20 pairs, and the rest evenly. Of the shapes in ``bench/duels.py``, this one decides large
    differences by 8 pairs, medium ones by 20, and equality by 12.
    """
    return _MOST * np.minimum(1.0, (share / _MIDDLE) ** 4) + (1 - _MOST) * share


@lru_cache(maxsize=64)
def bounds(most_pairs: int, error: float = ERROR) -> tuple[float, ...]:
    """Compute the boundary of Student's t at each look, from the third pair to the last.

    Args:
        most_pairs: Fixed before the first pair; at least 3.
        error: Level of all looks together, two-sided.

    Example:
        >>> len(bounds(20)), round(bounds(3)[0], 1)
        (18, 4.8)
    """
    pairs = np.arange(FIRST_LOOK, most_pairs + 1)
    levels = nominal_levels(error * spent(pairs / most_pairs), pairs / most_pairs)
    return tuple(float(bound) for bound in -stdtrit(pairs - 1, levels / 2))


def nominal_levels(spending: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Compute the two-sided level of each look at a sum of normal numbers, by integration.

    Args:
        spending: Error spent up to each look: K, rising.
        shares: Information at each look as a share of the last look's: K, rising.

    Returns:
        K two-sided levels.
    """
    levels = np.empty(len(shares))
    points, weights = np.zeros(1), np.ones(1)  # values of the sum before a look, and their weights
    before_share = before_spent = 0.0
    for look, (share, total) in enumerate(zip(shares, spending, strict=True)):
        step = np.sqrt(share - before_share)
        bound = _bound(points / step, weights, total - before_spent) * step
        levels[look] = 2 * ndtr(-bound / np.sqrt(share))
        grid = np.linspace(-bound, bound, _GRID)
        density = _normal_density((grid[:, None] - points) / step) @ weights / step
        points, weights = grid, density * (grid[1] - grid[0])
        weights[[0, -1]] /= 2  # trapezoidal rule
        before_share, before_spent = share, total
    return levels


def _bound(points: np.ndarray, weights: np.ndarray, error: float) -> float:
    """Find the bound that the next sum exceeds with probability ``error``, two-sided."""
    low, high = 0.0, 60.0
    for _ in range(60):
        middle = (low + high) / 2
        beyond = 2 * float(weights @ ndtr(points - middle))
        low, high = (middle, high) if beyond > error else (low, middle)
    return high


def _normal_density(z: np.ndarray) -> np.ndarray:
    """Compute the density of the standard normal distribution."""
    return np.exp(-z * z / 2) / np.sqrt(2 * np.pi)

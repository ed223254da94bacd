"""How sure a measured accuracy is."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist


@dataclass(frozen=True)
class Interval:
    """Where the true value of a fraction lies.

    Args:
        low, high: Fractions 0..1.
        level: In how many of all such measurements the interval holds the true value, 0..1.
    """

    low: float
    high: float
    level: float


def wilson(right: int, count: int, level: float = 0.95) -> Interval:
    """Wilson's score interval of a fraction (Wilson 1927); it never leaves 0..1.

    With p = right / count and z the normal quantile of the level, its ends are

        (p + z^2 / 2n -+ z * sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

    It says how far another draw of as many test pictures could move the accuracy of this one
    network; it does not say how far another seed would.

    Args:
        right: Pictures classified correctly, 0..count.
        count: Pictures in all; with none the interval is all of 0..1.
    """
    if count == 0:
        return Interval(0.0, 1.0, level)
    z = NormalDist().inv_cdf((1 + level) / 2)
    p = right / count
    middle = p + z * z / (2 * count)
    reach = z * sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return Interval(max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale), level)

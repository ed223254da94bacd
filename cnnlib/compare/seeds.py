"""Statistics over the seeds of one design: mean, spread and confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
from scipy.special import ndtri, stdtrit


@dataclass(frozen=True)
class Summary:
    """Mean of a number over the seeds of one design.

    Args:
        count: Seeds.
        sd: Standard deviation of a sample (divided by count - 1); None for one seed.
        interval: Of the mean, by Student's t over seeds; None for one seed.
    """

    count: int
    mean: float
    sd: float | None = None
    interval: Interval | None = None


def summary(values: Sequence[float], level: float = 0.95) -> Summary | None:
    """Compute mean, standard deviation and t interval (Student 1908); None without values.

    The interval is for the mean over all seeds; it does not cover other test pictures.

    Example:
        >>> summary([0.98, 0.99]).mean
        0.985
    """
    if not values:
        return None
    array = np.asarray(values, dtype=float)
    count, mean = len(array), float(array.mean())
    if count == 1:
        return Summary(1, mean)
    sd = float(array.std(ddof=1))
    reach = float(stdtrit(count - 1, (1 + level) / 2)) * sd / count**0.5
    return Summary(count, mean, sd, Interval(mean - reach, mean + reach, level))


def accuracy_interval(accuracies: Sequence[float], pictures: int) -> tuple[Interval | None, str]:
    """Compute the interval of a row, and its kind: over seeds or over test pictures.

    Args:
        accuracies: One for each seed, fractions.
        pictures: Number of pictures in the split.

    Returns:
        One run: Wilson's, "pictures"; more: Student's within 0..1, "seeds"; none: None and "".
    """
    over_seeds = summary(accuracies)
    if over_seeds is None:
        return None, ""
    if (student := over_seeds.interval) is not None:
        return Interval(max(0.0, student.low), min(1.0, student.high), student.level), "seeds"
    if pictures == 0:
        return None, ""
    return wilson(round(over_seeds.mean * pictures), pictures), "pictures"


def best_of(count: int, sd: float) -> float:
    """Compute the expected lead, by chance, of the best of ``count`` equal designs over their mean.

    The expected maximum of normal numbers (Blom 1958 gives the approximation: the quantile at
    (count - 0.375) / (count + 0.25)).

    Args:
        sd: Standard deviation of one result.

    Example:
        >>> round(best_of(10, sd=1.0), 2)
        1.55
    """
    if count < 2:
        return 0.0
    return sd * float(ndtri((count - 0.375) / (count + 0.25)))


@dataclass(frozen=True)
class Interval:
    """A confidence interval of a fraction.

    Args:
        low, high: Fractions 0..1.
        level: Confidence level, 0..1.
    """

    low: float
    high: float
    level: float


def wilson(right: int, count: int, level: float = 0.95) -> Interval:
    """Compute Wilson's score interval of a fraction (Wilson 1927); it is within 0..1.

    With p = right / count and z the normal quantile of the level, its ends are

        (p + z^2 / 2n -+ z * sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

    It covers another sample of as many test pictures for the same network, but not another seed.

    Args:
        right: Pictures classified correctly, 0..count.
        count: Number of pictures; for 0 the interval is 0..1.
    """
    if count == 0:
        return Interval(0.0, 1.0, level)
    z = NormalDist().inv_cdf((1 + level) / 2)
    p = right / count
    middle = p + z * z / (2 * count)
    reach = z * sqrt(p * (1 - p) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return Interval(max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale), level)

"""Statistics over the seeds of one design: mean, spread and confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, lgamma, sqrt
from statistics import NormalDist

import numpy as np


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
    if len(values) == 1:
        return Summary(1, float(values[0]))
    from scipy.special import stdtrit  # SciPy takes long to import

    array = np.asarray(values, dtype=float)
    count, mean = len(array), float(array.mean())
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


def best_of(errors: Sequence[float]) -> float:
    """Compute the expected height, by chance, of the best of equally good designs.

    This is the expected maximum of independent normal numbers with mean 0, integrated numerically:
    the height of the best result over the value that all designs share, and so over the average of
    the results, which has the same expectation. It is not the lead over the second.

    Args:
        errors: Standard error of each design's mean.

    Example:
        >>> round(best_of([1.0] * 10), 4)
        1.5388
    """
    from scipy.special import ndtr

    scales = np.array([error for error in errors if error > 0])
    reach = 8 * scales.max(initial=0.0)
    if len(errors) < 2 or not reach:
        return 0.0
    x = np.linspace(0, reach, 2001)
    is_below, is_below_minus = (ndtr(sign * x[:, None] / scales).prod(axis=1) for sign in (1, -1))
    if len(scales) < len(errors):  # the result of one design is 0 for certain
        is_below_minus = np.zeros_like(x)
    return float(np.trapezoid(1 - is_below - is_below_minus, x))


def pooled_sd(results: Sequence[Sequence[float]]) -> float | None:
    """Estimate the standard deviation over seeds that several designs share.

    The estimate is unbiased for normal results of equal spread. Designs with more than ten times
    the median spread are left out: in them a seed failed to learn.

    Args:
        results: The results of each design's seeds.

    Returns:
        None unless a design has two seeds.
    """
    spreads = [(len(values) - 1, np.std(values, ddof=1)) for values in results if len(values) > 1]
    if not spreads:
        return None
    limit = 10 * float(np.median([sd for _, sd in spreads]))
    kept = [(free, sd) for free, sd in spreads if sd <= limit or not limit]
    freedom = sum(free for free, _ in kept)
    sd = (sum(free * sd**2 for free, sd in kept) / freedom) ** 0.5
    bias = (2 / freedom) ** 0.5 * exp(lgamma((freedom + 1) / 2) - lgamma(freedom / 2))
    return float(sd / bias)


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

"""What several seeds of one design say together: mean, spread, and how sure the mean is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from cnnlib.compare.intervals import Interval, wilson


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
    """Mean, standard deviation and t interval (Student 1908); None where there is no value.

    The interval says where the mean over all seeds lies. It says nothing about other test pictures.

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
    """The interval of a row, and what it is an interval over.

    Args:
        accuracies: Of each seed, fractions.
        pictures: That each was measured on.

    Returns:
        One run: Wilson's, "pictures"; more: Student's within 0..1, "seeds"; none: None and "".
    """
    found = summary(accuracies)
    if found is None:
        return None, ""
    if (student := found.interval) is not None:
        return Interval(max(0.0, student.low), min(1.0, student.high), student.level), "seeds"
    if pictures == 0:
        return None, ""
    return wilson(round(found.mean * pictures), pictures), "pictures"


def best_of(count: int, sd: float) -> float:
    """How far the best of ``count`` equal designs stands above their mean by luck alone.

    The expected largest of normal numbers (Blom 1958 gives the approximation: the quantile at
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

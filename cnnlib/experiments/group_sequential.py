"""Group-sequential sign-flip test: a test after every pair without a higher error rate.

If two designs are equally good, exchanging them changes nothing: the difference of a pair is as
likely to be +d as -d. So the signs of the differences are fair coins, whatever sizes the
differences have (Fisher 1935, "The Design of Experiments", section 21). The test compares the sum
of the differences with the sums under all 2^n combinations of signs. Nothing is assumed about the
distribution, and the error rate is exact: for outliers, for few possible values, for seeds that
collapse.

A test after every pair that stops at the first "significant" result errs far more often than one
test. So the error is spent over the tests by a spending function (Lan & DeMets, "Discrete
sequential boundaries for clinical trials", Biometrika 70, 1983): after each pair the most extreme
of the remaining combinations are rejected, as many as the error spent so far allows.

The values that a test of "the differences are symmetric about c" does not reject are a repeated
confidence interval of the centre. Two designs are called the same where two one-sided tests place
it within the margin (Jennison & Turnbull, "Sequential equivalence testing and repeated confidence
intervals", Biometrics 49, 1993).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

# With five pairs even the rarer of two one-sided results has a probability of 2 / 2^5 = 6.25 %.
FIRST_LOOK = 6  # pairs
MOST_PAIRS = 100
_MIDDLE = 0.6  # share of the pairs by which `_MOST` of the error is spent: 12 of 20
_MOST = 0.85
_STEPS = 16  # sizes of differences are rounded to this part of their median
_LARGEST = 4095  # steps; bounds the work for a collapsed seed


@dataclass(frozen=True)
class Spending:
    """The error of a test, and how it is spent over the looks.

    Args:
        error: Level of all looks together, two-sided.
        power: The larger, the less is spent before 12 of 20 pairs.
    """

    error: float
    power: float

    def spent(self, share: float) -> float:
        """Return the error that is spent after a share of all pairs.

        Most is spent by 12 of 20 pairs, and the rest evenly.
        """
        early = min(1.0, share / _MIDDLE) ** self.power
        return self.error * float(_MOST * early + (1 - _MOST) * share)


# Large differences are found by 8 pairs, and equality by 12 (``bench/duels.py``).
BETTER = Spending(error=0.05, power=1.8)
SAME = Spending(error=0.10, power=4)  # two one-sided tests, each with the error of the duel


def first_verdict(most_pairs: int) -> int | None:
    """Return the smallest number of pairs after which a duel may reach a verdict.

    Args:
        most_pairs: Fixed before the first pair.

    Returns:
        None where no number of pairs up to ``most_pairs`` is enough.

    Example:
        >>> first_verdict(6), first_verdict(20), first_verdict(100), first_verdict(5)
        (6, 7, 10, None)
    """
    looks = range(FIRST_LOOK, most_pairs + 1)
    tests = (BETTER, SAME)
    return next(
        (n for n in looks if any(2 / 2**n <= each.spent(n / most_pairs) for each in tests)), None
    )


def crossing(
    differences: Sequence[float] | np.ndarray, most_pairs: int, spending: Spending = BETTER
) -> tuple[int, int]:
    """Find the pair after which the test rejects that the differences are symmetric about 0.

    Args:
        differences: In the order of their pairs.
        most_pairs: Fixed before the first pair.
        spending: The error of the test.

    Returns:
        The pair, and the sign of the centre of the differences; 0 and 0 where it does not reject.

    Example:
        >>> crossing([0.01, 0.02, 0.01, 0.03, 0.02, 0.01, 0.02, 0.01], most_pairs=20)
        (7, 1)
    """
    values = np.asarray(differences, dtype=float)[:most_pairs]
    sizes = rounded_sizes(np.abs(values))
    totals = np.cumsum(np.sign(values) * sizes)
    looks = zip(totals, boundaries(sizes, most_pairs, spending), strict=True)
    for pair, (total, (bound, _)) in enumerate(looks, start=1):
        if bound and abs(total) >= bound:
            return pair, 1 if total > 0 else -1
    return 0, 0


def boundaries(
    sizes: Sequence[int], most_pairs: int, spending: Spending = BETTER
) -> Generator[tuple[int, float]]:
    """Compute the boundary of the sum of the signed sizes, over all combinations of signs.

    Args:
        sizes: Of the differences, from `rounded_sizes`.
        most_pairs: Fixed before the first pair.
        spending: The error of the test.

    Yields:
        After each pair the smallest absolute sum that is rejected (0: none is), and the exact
        probability that a sum has been rejected so far.
    """
    # Probability of each sum -reach..reach, of the combinations that are not rejected yet.
    sums = np.ones(1)
    used = 0.0
    for pair, size in enumerate(sizes, start=1):
        sums = np.pad(sums, (0, 2 * size)) / 2 + np.pad(sums, (2 * size, 0)) / 2
        if pair < FIRST_LOOK:
            yield 0, used
            continue
        reach = len(sums) // 2
        tails = np.cumsum(sums[:reach] + sums[: -reach - 1 : -1])  # from the outermost inwards
        allowed = spending.spent(pair / most_pairs) - used
        rejected = int(np.searchsorted(tails, allowed + 1e-12, side="right"))
        if rejected:
            used += float(tails[rejected - 1])
            sums = sums[rejected:-rejected]
        yield (reach - rejected + 1 if rejected else 0), used


def rounded_sizes(magnitudes: np.ndarray) -> list[int]:
    """Round absolute differences to whole numbers, by a scale that the first look knows.

    Any sizes that do not depend on the signs keep the level of the test exact.
    """
    first = magnitudes[:FIRST_LOOK]
    scale = float(np.median(first[first > 0])) if (first > 0).any() else 0.0
    if scale == 0.0:
        return [_LARGEST * int(size > 0) for size in magnitudes]
    steps = np.clip(np.rint(_STEPS * magnitudes / scale), 1, _LARGEST)
    return [int(size) for size in np.where(magnitudes > 0, steps, 0)]

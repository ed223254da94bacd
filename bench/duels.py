"""Simulated error rates and power of duels: ``python -m bench.duels`` prints them as tables.

Each number is a share of simulated duels of at most 20 pairs. A pair of equally good designs is
made by drawing both results from one distribution; a true difference is added to B's.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np

from cnnlib.experiments.duel_statistics import decide, most_unseen, pairs_needed
from cnnlib.experiments.group_sequential import boundaries, rounded_sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DUELS = 5_000
MOST_PAIRS = 20
POINT = 0.005  # one standard deviation of the normal differences, half a percentage point
COLLAPSE = 0.8  # what a collapsed seed loses


def _difference(draw: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """The difference of two independent results."""
    return lambda generator, pairs: draw(generator, pairs) - draw(generator, pairs)


def _collapsing(share: float) -> Callable[..., np.ndarray]:
    """Normal results, of which a share collapses."""
    return lambda generator, pairs: (
        generator.normal(0, POINT / 2**0.5, pairs) - COLLAPSE * (generator.random(pairs) < share)
    )


# Differences of equally good designs.
EQUAL: dict[str, Callable[..., np.ndarray]] = {
    "normal": lambda generator, pairs: generator.normal(0, POINT, pairs),
    "heavy-tailed (Student's t, 2 degrees of freedom)": lambda generator, pairs: (
        POINT * generator.standard_t(2, pairs)
    ),
    "two values": lambda generator, pairs: POINT * generator.choice([-1, 1], pairs),
    "three values": lambda generator, pairs: (
        POINT * 2**0.5 * generator.choice([-1, 0, 1], pairs, p=[0.25, 0.5, 0.25])
    ),
    "skewed results (exponential)": _difference(
        lambda generator, pairs: -POINT / 2**0.5 * generator.exponential(1, pairs)
    ),
    "both collapse in 1 of 50 seeds": _difference(_collapsing(1 / 50)),
    "both collapse in 1 of 10 seeds": _difference(_collapsing(1 / 10)),
}


# Differences of designs that are equal on average, but not exchangeable: their median is not 0.
UNLIKE: dict[str, Callable[..., np.ndarray]] = {
    "skewed differences (exponential) with mean 0": lambda generator, pairs: (
        POINT * (generator.exponential(1, pairs) - 1)
    ),
    "B collapses in 1 of 10 seeds, and makes up for it in the others": lambda generator, pairs: (
        generator.normal(0, POINT, pairs) - COLLAPSE * ((generator.random(pairs) < 0.1) - 0.1)
    ),
}


def duels(
    draw: Callable[..., np.ndarray],
    *,
    shift: float = 0.0,
    within: float = 0.0,
    count: int = DUELS,
    most_pairs: int = MOST_PAIRS,
    seed: int = 0,
) -> list[tuple[int, str]]:
    """Simulate duels; returns the pairs and the outcome of each.

    Args:
        draw: Draws the differences of equally good designs.
        shift: True difference, added to them.
    """
    generator = np.random.default_rng(seed)
    return [decide(shift + draw(generator, most_pairs), most_pairs, within) for _ in range(count)]


def share(hits: Iterable[bool]) -> tuple[float, float]:
    """The share of hits and its Monte Carlo standard error."""
    values = np.fromiter(hits, dtype=float)
    rate = float(values.mean())
    return rate, (rate * (1 - rate) / len(values)) ** 0.5


def exact_error(draw: Callable[..., np.ndarray], count: int, seed: int = 0) -> tuple[float, float]:
    """How often one of two equally good designs is called better, and the standard error.

    For given sizes of the differences, all signs are equally likely, so that the rate is a sum over
    them; it is averaged over simulated sizes.
    """
    generator = np.random.default_rng(seed)
    errors = []
    for _ in range(count):
        sizes = rounded_sizes(np.abs(draw(generator, MOST_PAIRS)))
        errors.append(list(boundaries(sizes, MOST_PAIRS))[-1][1])
    return float(np.mean(errors)), float(np.std(errors)) / count**0.5


def rates(
    draw: Callable[..., np.ndarray], count: int, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """The error rates and the power of duels with one kind of differences."""
    options = {"count": count, "seed": seed}
    apart = duels(draw, shift=POINT, within=POINT, **options)
    found = duels(draw, shift=POINT, **options)
    same = duels(draw, within=POINT, **options)
    return {
        "better": exact_error(draw, **options),
        "wrongly the same": share(outcome == "same" for _, outcome in apart),
        "found": share(outcome == "b" for _, outcome in found),
        "same": share(outcome == "same" for _, outcome in same),
    }


def promises(count: int = DUELS, seed: int = 0) -> list[tuple[str, str, float, float]]:
    """Rows of the scenario with normal differences, its promise, the rate and its error."""
    normal, options = EQUAL["normal"], {"count": count, "seed": seed}
    large = duels(normal, shift=2 * POINT, **options)
    medium = duels(normal, shift=POINT, **options)
    same = duels(normal, within=POINT, **options)
    return [
        (
            "true difference 2 sd: called within 8 pairs",
            "at least 90 %",
            *share(outcome == "b" and pairs <= 8 for pairs, outcome in large),
        ),
        (
            "true difference 1 sd: called within 20 pairs",
            "at least 90 %",
            *share(outcome == "b" for _, outcome in medium),
        ),
        (
            "true difference 0, x = 1 sd: equal within x by 12 pairs",
            "at least 80 %",
            *share(outcome == "same" and pairs <= 12 for pairs, outcome in same),
        ),
    ]


def unseen(collapse: float, count: int = DUELS, seed: int = 0) -> dict[str, tuple[float, float]]:
    """Duels of which only B collapses: what is said, and whether the stated share is too low.

    Args:
        collapse: Share of B's seeds that collapse.
    """
    generator = np.random.default_rng(seed)
    outcomes = []
    for _ in range(count):
        is_collapsed = generator.random(MOST_PAIRS) < collapse
        differences = generator.normal(0, POINT / 5, MOST_PAIRS) - COLLAPSE * is_collapsed
        pairs, outcome = decide(differences, MOST_PAIRS, POINT)
        seen = int(is_collapsed[:pairs].sum())
        outcomes.append((outcome, seen, most_unseen(seen, pairs)))
    return {
        "same": share(outcome == "same" for outcome, _, _ in outcomes),
        "after a collapse": share(outcome == "same" and seen > 0 for outcome, seen, _ in outcomes),
        "too low": share(bound < collapse for _, _, bound in outcomes),
        "B better": share(outcome == "b" for outcome, _, _ in outcomes),
    }


def forecasts(count: int = DUELS, seed: int = 0) -> list[tuple[float, int, float, float]]:
    """Rows of a difference in standard deviations, its forecast, and the share that found it."""
    rows = []
    for difference in (3.0, 2.0, 1.0, 0.7, 0.5, 0.4):
        pairs = pairs_needed(difference, sd=1.0) or 0
        results = duels(
            EQUAL["normal"], shift=difference * POINT, count=count, most_pairs=pairs, seed=seed
        )
        rows.append((difference, pairs, *share(outcome == "b" for _, outcome in results)))
    return rows


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--duels", type=int, default=DUELS)
    count = parser.parse_args().duels
    print(f"| {count:,} duels: differences | better | wrongly the same | found | the same |")
    print("|---|---|---|---|---|")
    for name, draw in EQUAL.items():
        print(f"| {name} | {' | '.join(_format(each) for each in rates(draw, count).values())} |")
    print("\n| equal on average, not exchangeable | better |\n|---|---|")
    for name, draw in UNLIKE.items():
        rate = share(outcome in ("a", "b") for _, outcome in duels(draw, count=count))
        print(f"| {name} | {_format(rate)} |")
    print("\n| only B collapses | the same | after a collapse | share too low | B better |")
    print("|---|---|---|---|---|")
    for text, collapse in (("in 1 of 50 seeds", 1 / 50), ("in 1 of 10 seeds", 1 / 10)):
        cells = " | ".join(_format(each) for each in unseen(collapse, count).values())
        print(f"| {text} | {cells} |")
    print("\n| promise (normal) | promised | found |\n|---|---|---|")
    for scenario, promised, *found in promises(count):
        print(f"| {scenario} | {promised} | {_format((found[0], found[1]))} |")
    print("\n| difference in sd | forecast | found |\n|---|---|---|")
    for difference, pairs, rate, error in forecasts(count // 5):
        print(f"| {difference:g} | {pairs} pairs | {_format((rate, error))} |")


def _format(value: tuple[float, float]) -> str:
    return f"{100 * value[0]:.2f} % ± {100 * value[1]:.2f}"


if __name__ == "__main__":
    main()

"""Simulated error rates and power of duels: ``python -m bench.duels`` prints them as tables.

Each row is 20,000 duels of at most 20 pairs with normal differences of standard deviation 1, and
an interim analysis after every pair from the third on.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from cnnlib.experiments import group_sequential
from cnnlib.experiments.duel_statistics import decisions

if TYPE_CHECKING:
    from collections.abc import Callable

DUELS = 20_000
MOST_PAIRS = 20


def rate(
    difference: float,
    is_called: Callable[[np.ndarray, np.ndarray], np.ndarray],
    *,
    within: float = 0.0,
    duels: int = DUELS,
    seed: int = 0,
) -> tuple[float, float]:
    """The rate of an outcome over simulated duels, and its Monte Carlo standard error.

    Args:
        difference: True mean of the paired differences, in their standard deviations.
        is_called: Maps the last pair of each duel and its decision (`decisions`) to booleans.
        within: Margin of equivalence, in standard deviations.
    """
    generator = np.random.default_rng(seed)
    differences = difference + generator.standard_normal((duels, MOST_PAIRS))
    called = float(is_called(*decisions(differences, MOST_PAIRS, within)).mean())
    return called, (called * (1 - called) / duels) ** 0.5


def promises(duels: int = DUELS, seed: int = 0) -> list[tuple[str, str, float, float]]:
    """Rows of the scenario, its promised rate, the simulated rate and its standard error."""
    options = {"duels": duels, "seed": seed}
    return [
        (
            "A against A: a winner is declared",
            "at most 5 %",
            *rate(0.0, lambda pair, decision: np.abs(decision) == 1, **options),
        ),
        (
            "true difference 2 sd: called within 8 pairs",
            "at least 90 %",
            *rate(2.0, lambda pair, decision: (decision == 1) & (pair <= 8), **options),
        ),
        (
            "true difference 1 sd: called within 20 pairs",
            "at least 90 %",
            *rate(1.0, lambda pair, decision: decision == 1, **options),
        ),
        (
            "true difference 0, x = 1 sd: equal within x by 12 pairs",
            "at least 80 %",
            *rate(
                0.0, lambda pair, decision: (decision == 2) & (pair <= 12), within=1.0, **options
            ),
        ),
        (
            "true difference x = 1 sd: wrongly called equal within x",
            "at most 5 %",
            *rate(1.0, lambda pair, decision: decision == 2, within=1.0, **options),
        ),
        (
            "A against A with x = 1 sd: a winner is declared",
            "at most 5 %",
            *rate(0.0, lambda pair, decision: np.abs(decision) == 1, within=1.0, **options),
        ),
    ]


def _by_twelve(share: np.ndarray, most: float, power: int) -> np.ndarray:
    """Spend the fraction `most` of the error by 12 of 20 pairs, and the rest evenly."""
    return most * np.minimum(1, share / 0.6) ** power + (1 - most) * share


SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "evenly (share)": lambda share: share,
    "share^2": lambda share: share**2,
    "share^3": lambda share: share**3,
    "Pocock's (Lan & DeMets)": lambda share: np.log(1 + (np.e - 1) * share),
    "85 % by 12 pairs, quartic (kept)": group_sequential.spent,
    "85 % by 12 pairs, cubic": lambda share: _by_twelve(share, 0.85, 3),
    "85 % by 12 pairs, quintic": lambda share: _by_twelve(share, 0.85, 5),
    "95 % by 12 pairs, quartic": lambda share: _by_twelve(share, 0.95, 4),
}


def shape_rates(spent: Callable[[np.ndarray], np.ndarray], duels: int = DUELS) -> list[float]:
    """The rates of the first four promises under another spending function."""
    pairs = np.arange(group_sequential.FIRST_LOOK, MOST_PAIRS + 1)
    share = pairs / MOST_PAIRS
    win, same = (
        -stdtrit(pairs - 1, group_sequential.nominal_levels(error * spent(share), share) / 2)
        for error in (group_sequential.ERROR, 2 * group_sequential.ERROR)
    )
    noise = np.random.default_rng(0).standard_normal((duels, MOST_PAIRS))
    means = np.cumsum(noise, axis=1) / np.arange(1, MOST_PAIRS + 1)
    squares = np.cumsum(noise**2, axis=1) / np.arange(1, MOST_PAIRS + 1) - means**2
    means, squares = means[:, 2:], squares[:, 2:]
    errors = np.sqrt(squares / (pairs - 1))

    def wins(difference: float) -> np.ndarray:
        return np.abs(means + difference) > win * errors

    is_same = np.abs(means) + same * errors < 1.0
    return [
        float(wins(0.0).any(1).mean()),
        float(wins(2.0)[:, : 8 - 2].any(1).mean()),
        float(wins(1.0).any(1).mean()),
        float(is_same[:, : 12 - 2].any(1).mean()),
    ]


def main() -> None:
    """Print both tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--duels", type=int, default=DUELS)
    duels = parser.parse_args().duels
    print(
        f"| {duels:,} simulated duels | promised | found | Monte Carlo error |\n|---|---|---|---|"
    )
    for scenario, promised, found, error in promises(duels):
        print(f"| {scenario} | {promised} | {100 * found:.2f} % | {100 * error:.2f} % |")
    print("\n| error spent | A against A | 2 sd in 8 | 1 sd in 20 | same in 12 |")
    print("|---|---|---|---|---|")
    for name, spent in SHAPES.items():
        cells = " | ".join(f"{100 * found:.1f} %" for found in shape_rates(spent, duels))
        print(f"| {name} | {cells} |")


if __name__ == "__main__":
    main()

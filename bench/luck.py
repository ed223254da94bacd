"""The luck of the best of k designs, simulated: ``python -m bench.luck`` prints it as a table.

Each line is 20,000 results tables of k equally good designs, whose seeds give normal results with a
standard deviation of 1 point. It compares the height of the best mean over the average of all means
with the height that the Results page states, which knows the results alone.
"""

from __future__ import annotations

import argparse

import numpy as np

from cnnlib.compare.seeds import best_of, pooled_sd

TABLES = 20_000
DESIGNS = (2, 3, 5, 10, 20, 50)
# Seeds of the designs, repeated: all alike, or some designs with a single run.
SEEDS = ((2,), (3,), (5,), (1, 2, 5))


def heights(designs: int, seeds: tuple[int, ...], tables: int, seed: int = 0) -> tuple[float, ...]:
    """Simulate tables of equally good designs.

    Args:
        designs: Number of designs, k.
        seeds: Number of seeds of each design, repeated to k.

    Returns:
        Mean height of the best design over the average, the mean of what is stated, and the Monte
        Carlo standard error of the first; in standard deviations of one result.
    """
    counts = [seeds[number % len(seeds)] for number in range(designs)]
    generator = np.random.default_rng(seed)
    found, stated = np.empty(tables), []
    for table in range(tables):
        results = [generator.standard_normal(count) for count in counts]
        means = [float(values.mean()) for values in results]
        found[table] = max(means) - np.mean(means)
        stated.append(pooled_sd(results) or 0.0)
    # The stated height is proportional to the spread that a table shows.
    height = best_of([count**-0.5 for count in counts]) * float(np.mean(stated))
    return float(found.mean()), height, float(found.std() / tables**0.5)


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=TABLES)
    tables = parser.parse_args().tables
    print("| Designs | Seeds of each | Height of the best | Stated |\n|---|---|---|---|")
    for seeds in SEEDS:
        for designs in DESIGNS:
            found, stated, error = heights(designs, seeds, tables)
            which = " or ".join(map(str, seeds))
            print(f"| {designs} | {which} | {found:.3f} ± {error:.3f} | {stated:.3f} |")


if __name__ == "__main__":
    main()

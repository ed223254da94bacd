"""Comparison of `plan` and `cost` with torch on random networks, and their running time.

python -m bench.specs                      1,000 networks; 0 mismatches
python -m bench.specs --count 50 --seed 7
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from timeit import repeat

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests" / "support"))

from random_specs import random_specs  # noqa: E402
from torch_counts import planned_counts, torch_counts  # noqa: E402

from cnnlib.design.cost import cost  # noqa: E402
from cnnlib.design.plan import plan  # noqa: E402
from cnnlib.design.presets import preset  # noqa: E402
from cnnlib.design.spec import CNNSpec  # noqa: E402

SIXTY = CNNSpec(channels=(16,) * 60, pool_every=20, block="residual", block_convs=2, norm="batch")


def mismatches(spec: CNNSpec, batch_size: int) -> list[str]:
    """Descriptions of the counts in which a plan and torch differ."""
    planned = plan(spec)
    ours, theirs = planned_counts(planned, batch_size), torch_counts(planned, batch_size)
    names = [field.name for field in fields(ours)]
    return [
        f"{name}: planned {getattr(ours, name)}, torch {getattr(theirs, name)}"
        for name in names
        if getattr(ours, name) != getattr(theirs, name)
    ]


def microseconds(spec: CNNSpec) -> float:
    """Microseconds of one `plan` and one `cost`, the best of five measurements."""
    runs = 100
    return min(repeat(lambda: cost(plan(spec), batch_size=128), number=runs, repeat=5)) / runs * 1e6


def main() -> int:
    """Compare, time, and print the results; return 1 if a count differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    wrong = 0
    for number, spec in enumerate(random_specs(options.count, options.seed)):
        found = mismatches(spec, batch_size=2 + number % 3)
        wrong += bool(found)
        for line in found:
            print(f"{spec}\n  {line}")
    print(f"{options.count:,} random networks, {wrong} mismatches")
    for name, spec in (("lenet5", preset("lenet5").spec), ("60 convolutions", SIXTY)):
        print(f"plan + cost of {name}: {microseconds(spec):,.0f} microseconds")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""The fault table: what was broken, whether it was survived, how many recorded rows were lost.

python -m bench.faults                 breaks everything in tests/train/test_faults.py for real
python -m bench.faults -k full_disk    one of them

Every fault is a test that counts the rows before and after: it is survived with no row lost, or it
is not survived. What this machine does not allow (mounting a small disk) is said to be skipped.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_FILES = (
    "tests/train/test_faults.py",
    "tests/runs/test_store_faults.py",
    "tests/train/worker/test_training.py",
)


class Table:
    """Collects what pytest tells, one line for each fault."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, float]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test that ran, or was skipped before it did."""
        if report.when == "call" or report.outcome != "passed":
            if report.when == "teardown":
                return
            name = report.nodeid.rpartition("::")[2].removeprefix("test_").replace("_", " ")
            outcome = {"passed": "survived", "failed": "NOT SURVIVED"}.get(
                report.outcome, "skipped"
            )
            self.lines.append((name, outcome, report.duration))


def main() -> int:
    """Print the table; 1 where a fault was not survived."""
    os.chdir(ROOT)
    table, began = Table(), time.monotonic()
    arguments = [*_FILES, "-q", "-p", "no:xdist", "--no-header", "--no-summary", *sys.argv[1:]]
    pytest.main(arguments, plugins=[table])
    print(f"\n{'fault':92} {'outcome':13} {'seconds':>7}")
    for name, outcome, seconds in table.lines:
        print(f"{name[:92]:92} {outcome:13} {seconds:7.1f}")
    told = [outcome for _, outcome, _ in table.lines]
    tried, survived = len(told) - told.count("skipped"), told.count("survived")
    lost = "0" if survived == tried else "see above"
    print(f"\nfaults tried {tried}, survived {survived}, rows lost {lost}; ", end="")
    print(f"skipped {told.count('skipped')}; {time.monotonic() - began:.0f} s")
    return 0 if survived == tried else 1


if __name__ == "__main__":
    sys.exit(main())

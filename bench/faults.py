"""The table of injected faults: which were survived, and how many recorded rows were lost.

python -m bench.faults                 all faults, among them those of tests/train/test_faults.py
python -m bench.faults -k full_disk    one of them

Every fault is a test that counts the rows before and after: it is survived with no row lost, or it
is not survived. Faults that this machine does not allow (mounting a small disk) are skipped.
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
    """A pytest plugin that collects one line for each fault."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, float]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a line for a test that ran or was skipped."""
        if report.when == "call" or report.outcome != "passed":
            if report.when == "teardown":
                return
            name = report.nodeid.rpartition("::")[2].removeprefix("test_").replace("_", " ")
            outcome = {"passed": "survived", "failed": "NOT SURVIVED"}.get(
                report.outcome, "skipped"
            )
            self.lines.append((name, outcome, report.duration))


def main() -> int:
    """Print the table; return 1 if a fault was not survived."""
    os.chdir(ROOT)
    table, began = Table(), time.monotonic()
    arguments = [*_FILES, "-q", "-p", "no:xdist", "--no-header", "--no-summary", *sys.argv[1:]]
    pytest.main(arguments, plugins=[table])
    print(f"\n{'fault':92} {'outcome':13} {'seconds':>7}")
    for name, outcome, seconds in table.lines:
        print(f"{name[:92]:92} {outcome:13} {seconds:7.1f}")
    outcomes = [outcome for _, outcome, _ in table.lines]
    tried, survived = len(outcomes) - outcomes.count("skipped"), outcomes.count("survived")
    lost = "0" if survived == tried else "see above"
    print(f"\nfaults tried {tried}, survived {survived}, rows lost {lost}; ", end="")
    print(f"skipped {outcomes.count('skipped')}; {time.monotonic() - began:.0f} s")
    return 0 if survived == tried else 1


if __name__ == "__main__":
    sys.exit(main())

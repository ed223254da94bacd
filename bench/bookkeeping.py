"""What the store costs an experiment beside its training: ``python -m bench.bookkeeping``.

Experiments of simulated runs are worked off by the functions of a worker: claim, two epochs, end.
The table has the SQL statements, the rows read and the time of one run (medians), for runs at the
start and at the end of an experiment. The database is SQLite, or that at ``CNNLAB_DATABASE``, which
keeps the runs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import sqlalchemy as sa

from cnnlib.design.spec import CNNSpec
from cnnlib.experiments.grid import start_grid
from cnnlib.experiments.search import start_search
from cnnlib.experiments.study import advance_after_end
from cnnlib.records.events import EpochEnd, RunEnd, Started
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import Run, RunRequest
from cnnlib.runs import RunStore
from cnnlib.runs.capacity import Capacity
from cnnlib.train.worker.process import Worker

SIZES = (20, 500)
KINDS = ("grid", "search")
EPOCHS = 2
SHOWN = 10  # runs at the start and at the end
_MACHINE = {"processor": "none", "device": "cpu", "threads": 1, "versions": {}}
_REQUEST = RunRequest(CNNSpec(channels=(4,)), Recipe(epochs=EPOCHS), "digits", mode="t1-nchw-fp32")


@dataclass
class Cost:
    """What the database was asked, and the time of all."""

    statements: int = 0
    rows: int = 0
    seconds: float = 0.0


class Counter:
    """Counts the statements of a store, and the rows that they return."""

    def __init__(self, store: RunStore) -> None:
        self._is_sqlite = store.database.is_sqlite
        engine = store.database._engine
        store.close()  # the next connection is a new one
        sa.event.listen(engine, "connect", self._count_rows)
        sa.event.listen(engine, "after_cursor_execute", self._count)
        self.take()

    def take(self) -> Cost:
        """Return the cost since the last call."""
        taken = getattr(self, "_cost", Cost())
        taken.seconds += time.perf_counter()
        self._cost = Cost(seconds=-time.perf_counter())
        return taken

    def _count(self, _connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        self._cost.statements += 1
        if not self._is_sqlite and statement.lstrip().startswith("SELECT"):
            self._cost.rows += cursor.rowcount

    def _count_rows(self, connection: Any, *_: Any) -> None:
        """Count the rows of SQLite as they are fetched: its cursor does not know their number."""

        def row_factory(_cursor: Any, row: Any) -> Any:
            self._cost.rows += 1
            return row

        if self._is_sqlite:
            connection.row_factory = row_factory


def start(store: RunStore, kind: str, count: int) -> str:
    """Start an experiment over learning rates and return its id."""
    request = replace(_REQUEST, name=f"{kind} of {count}")
    if kind == "grid":
        rates = [0.001 * (1 + number / count) for number in range(count)]
        return start_grid(store, request, {"lr": rates})
    return start_search(store, request, {"lr": {"low": 1e-4, "high": 0.1}}, trials=count)


def work_off(store: RunStore) -> Generator[Cost]:
    """Work off all waiting runs as one worker; yield what each has cost."""
    worker, counter, done = Worker(store, store.workers.register(), Capacity(1)), Counter(store), 0
    counter.take()
    while (run := worker._next_run()) is not None:
        _act_as_worker(store, worker, run, accuracy=0.5 + 0.4 * (done * 7919 % 101) / 101)
        done += 1
        yield counter.take()


def _act_as_worker(store: RunStore, worker: Worker, run: Run, accuracy: float) -> None:
    """Record the events of a claimed run, and do what a worker does after them."""
    started = Started(2 * EPOCHS, 2, "f00d", {"mode": run.request.mode}, _MACHINE)
    store.record_events(run.id, worker._id, [started])
    for number in range(1, EPOCHS + 1):
        epoch = EpochEnd(number, 2 * number, 1.0, 0.5, 0.8, accuracy, 1.0, 0.25)
        commands = store.record_events(run.id, worker._id, [epoch])
        worker._after_event(run, epoch)
        if commands:
            break
    state = "pruned" if commands else "finished"
    store.record_events(run.id, worker._id, [RunEnd(state, "", 2 * number, 1.0)])
    worker._advance(advance_after_end, run)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.bookkeeping", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    sizes = parser.parse_args(arguments).sizes
    print("| experiment | of a run | statements | rows read | ms |\n|---|---|---:|---:|---:|")
    for kind in KINDS:
        for size in sizes:
            with tempfile.TemporaryDirectory() as folder:
                given = Folders.from_environment()
                runs = Path(folder) if not given.database else given.runs
                with closing(RunStore(replace(given, runs=runs))) as store:
                    counter = Counter(store)
                    start(store, kind, size)
                    _print_row(kind, size, "to submit all", [counter.take()])
                    costs = list(work_off(store))
                    _print_row(kind, size, f"at the start, median of {SHOWN}", costs[:SHOWN])
                    _print_row(kind, size, f"at the end, median of {SHOWN}", costs[-SHOWN:])


def _print_row(kind: str, size: int, what: str, costs: Sequence[Cost]) -> None:
    medians = [median(getattr(cost, name) for cost in costs) for name in Cost.__dataclass_fields__]
    statements, rows, seconds = medians
    print(f"| {kind} of {size} | {what} | {statements:.0f} | {rows:.0f} | {1e3 * seconds:.1f} |")


if __name__ == "__main__":
    main()

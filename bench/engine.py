"""The training engine against its limit, and against what people would use in its place.

python -m bench.engine                       all nets
python -m bench.engine --nets lenet5 --windows 4 --seconds 0.5 --skip lightning skorch keras

Ratios of pictures per second, measured side by side in alternating windows; median, and the
smallest and largest of all windows. Keep the machine quiet.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from bench.lanes import BATCH_SIZES, Work, images_per_second
from bench.lanes.child import ALLOCATOR, OURS, child
from cnnlib.records.folders import Folders

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cnnlib.records.events import Started

OTHERS = ("texts", "lightning", "skorch", "keras")
LEAST = {"lenet5": 3.8, "conv_batchnorm": 2.3, "conv_maxpool": 2.3}  # of the texts' loop
LEAST_OF_LIMIT = 0.95
_ASK_EVERY_SECONDS = 1 / 4.5


def main() -> int:
    """Measure and print; 1 if a ratio is below what is promised."""
    asked = _arguments()
    if not asked.child:
        return subprocess.call(  # the allocator is settled before a process starts
            [sys.executable, "-m", "bench.engine", "--child", *sys.argv[1:]],
            env=os.environ | ALLOCATOR,
        )
    missed = []
    with tempfile.TemporaryDirectory() as runs:
        folders = Folders(Folders.from_environment().data, Path(runs))
        for net in asked.nets:
            missed += _against_the_limit(net, asked, folders)
        for net in asked.nets:
            missed += _against_others(net, asked, folders)
    for line in missed:
        print(f"MISSED: {line}")
    return 1 if missed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", nargs="+", default=list(BATCH_SIZES), choices=list(BATCH_SIZES))
    parser.add_argument("--windows", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--skip", nargs="*", default=[], choices=("limit", *OTHERS))
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _against_the_limit(net: str, asked: argparse.Namespace, folders: Folders) -> list[str]:
    """One thread, in one process: the bare step, the engine, the engine with a reader."""
    if "limit" in asked.skip:
        return []
    import torch

    from bench.lanes.ours import bare, engine
    from cnnlib.train.execution.mode import ExecutionMode

    work = Work(net, BATCH_SIZES[net], threads=1)
    told: list[tuple[str, Started]] = []
    ours = engine(work, folders, lambda *how: told.append(how))
    next(ours)
    run_id, mode = told[0][0], ExecutionMode.from_name(told[0][1].chosen["name"])
    torch.set_num_threads(mode.threads)
    limit = bare(work, mode, folders)
    with _reader(run_id, folders) as reading:

        def watched(seconds: float) -> float:
            with reading():
                return images_per_second(ours, seconds)

        rates = _alternate(
            {
                "bare step": lambda seconds: images_per_second(limit, seconds),
                "engine": lambda seconds: images_per_second(ours, seconds),
                "engine, watched": watched,
            },
            asked,
        )
    ours.close()
    print(f"{net}, batch {work.batch_size}, {mode.name}")
    ratios = _told(rates, "bare step")
    found = {
        f"{net}: engine / bare step": ratios["engine"],
        f"{net}: watched / unwatched": _ratio(rates, "engine, watched", "engine"),
    }
    return [f"{k} = {v:.3f} < {LEAST_OF_LIMIT}" for k, v in found.items() if v < LEAST_OF_LIMIT]


def _against_others(net: str, asked: argparse.Namespace, folders: Folders) -> list[str]:
    """Two threads, each in a process of its own."""
    names = [name for name in OTHERS if name not in asked.skip]
    there = [name for name in names if name == "texts" or find_spec(name)]
    for name in names:
        if name not in there:
            print(f"{name} is not installed: make install-bench")
    if not there:
        return []
    with ExitStack() as stack:
        children = {
            name: stack.enter_context(child(name, net, 2, folders)) for name in (*OURS, *there)
        }
        rates = _alternate({k: v.images_per_second for k, v in children.items()}, asked)
    print(f"{net}, batch {BATCH_SIZES[net]}, two threads, a process each")
    missed = []
    for name in there:
        ratio = _ratio(rates, "engine", name)
        least = LEAST.get(net, 1.0) if name == "texts" else 1.0
        most, lower = _ratio(rates, "limit", name), _ratio(rates, "bfloat16", name)
        print(
            f"  {f'engine / {name}':24} {ratio:6.2f}   "
            f"(the bare step: {most:.2f}; the engine in bfloat16: {lower:.2f})"
        )
        if ratio < least:
            missed.append(f"{net}: engine / {name} = {ratio:.2f} < {least}")
    _told(rates, there[0])
    return missed


def _alternate(
    lanes: dict[str, Callable[[float], float]], asked: argparse.Namespace
) -> dict[str, list[float]]:
    """Pictures per second of each lane in each window, after one that does not count."""
    rates: dict[str, list[float]] = {name: [] for name in lanes}
    for window in range(asked.windows + 1):
        for name, run in lanes.items():
            rate = run(asked.seconds)
            if window:
                rates[name].append(rate)
    return rates


def _each_window(rates: dict[str, list[float]], name: str, other: str) -> list[float]:
    """How many times as fast one lane was as another in the window beside it."""
    return [one / beside for one, beside in zip(rates[name], rates[other], strict=True)]


def _ratio(rates: dict[str, list[float]], name: str, other: str) -> float:
    """The median over windows: what slows the machine for a while slows both."""
    return median(_each_window(rates, name, other))


def _told(rates: dict[str, list[float]], reference: str) -> dict[str, float]:
    """Print a line per lane; the median over windows of its ratio to the reference."""
    ratios = {}
    for name, values in rates.items():
        each = _each_window(rates, name, reference)
        ratios[name] = median(each)
        spread = f"{min(each):.2f} to {max(each):.2f}"
        print(f"  {name:24} {median(values):8,.0f} /s   {ratios[name]:6.3f}   ({spread})")
    sys.stdout.flush()
    return ratios


@contextmanager
def _reader(run_id: str, folders: Folders) -> Generator[Callable]:
    """A process that asks for a run's new rows 4.5 times a second, as a page does, when let."""
    process = subprocess.Popen(
        [sys.executable, "-c", _READER, run_id, str(folders.data), str(folders.runs)],
        stdout=subprocess.PIPE,
    )
    process.stdout.readline()
    process.send_signal(signal.SIGSTOP)

    @contextmanager
    def reading() -> Generator[None]:
        process.send_signal(signal.SIGCONT)
        yield
        process.send_signal(signal.SIGSTOP)

    try:
        yield reading
    finally:
        process.kill()
        process.communicate()


_READER = f"""
import json, sys, time
from pathlib import Path
from cnnlib.records.folders import Folders
from cnnlib.runs import RunStore
from cnnlib.runs.polling import metrics_since

store = RunStore(Folders(Path(sys.argv[2]), Path(sys.argv[3])))
after = 0
print("ready", flush=True)
while True:
    news = metrics_since(store, sys.argv[1], after, 0)
    json.dumps(news)
    after = max([after, *news["steps"]["step"]])
    time.sleep({_ASK_EVERY_SECONDS})
"""

if __name__ == "__main__":
    sys.exit(main())

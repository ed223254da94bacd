"""Speed of the training engine against the bare training step and against other frameworks.

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

from bench.lanes import BATCH_SIZES, Workload, images_per_second
from bench.lanes.child import ALLOCATOR, OURS, child
from cnnlib.records.folders import Folders

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from cnnlib.records.events import Started

OTHERS = ("texts", "lightning", "skorch", "keras")
LEAST = {"lenet5": 3.8, "conv_batchnorm": 2.3, "conv_maxpool": 2.3}  # of the texts' loop
LEAST_OF_LIMIT = 0.95
_POLL_EVERY_SECONDS = 1 / 4.5


def main() -> int:
    """Measure and print; return 1 if a ratio is below its minimum."""
    options = _parse_arguments()
    if not options.child:
        return subprocess.call(  # the allocator's settings are read when a process starts
            [sys.executable, "-m", "bench.engine", "--child", *sys.argv[1:]],
            env=os.environ | ALLOCATOR,
        )
    missed = []
    with tempfile.TemporaryDirectory() as runs:
        folders = Folders(Folders.from_environment().data, Path(runs))
        for net in options.nets:
            missed += _compare_with_limit(net, options, folders)
        for net in options.nets:
            missed += _compare_with_others(net, options, folders)
    for line in missed:
        print(f"MISSED: {line}")
    return 1 if missed else 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", nargs="+", default=list(BATCH_SIZES), choices=list(BATCH_SIZES))
    parser.add_argument("--windows", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--skip", nargs="*", default=[], choices=("limit", *OTHERS))
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _compare_with_limit(net: str, options: argparse.Namespace, folders: Folders) -> list[str]:
    """Compare bare step, engine, and engine with a reader: one thread, one process."""
    if "limit" in options.skip:
        return []
    import torch

    from bench.lanes.ours import bare, engine
    from cnnlib.train.execution.mode import ExecutionMode

    workload = Workload(net, BATCH_SIZES[net], threads=1)
    started: list[tuple[str, Started]] = []
    ours = engine(workload, folders, lambda *start: started.append(start))
    next(ours)
    run_id, mode = started[0][0], ExecutionMode.from_name(started[0][1].chosen["name"])
    torch.set_num_threads(mode.threads)
    limit = bare(workload, mode, folders)
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
            options,
        )
    ours.close()
    print(f"{net}, batch {workload.batch_size}, {mode.name}")
    ratios = _print_rates(rates, "bare step")
    found = {
        f"{net}: engine / bare step": ratios["engine"],
        f"{net}: watched / unwatched": _ratio(rates, "engine, watched", "engine"),
    }
    return [f"{k} = {v:.3f} < {LEAST_OF_LIMIT}" for k, v in found.items() if v < LEAST_OF_LIMIT]


def _compare_with_others(net: str, options: argparse.Namespace, folders: Folders) -> list[str]:
    """Compare the engine with the other frameworks: two threads, a process each."""
    names = [name for name in OTHERS if name not in options.skip]
    installed = [name for name in names if name == "texts" or find_spec(name)]
    for name in names:
        if name not in installed:
            print(f"{name} is not installed: make install-bench")
    if not installed:
        return []
    with ExitStack() as stack:
        children = {
            name: stack.enter_context(child(name, net, 2, folders)) for name in (*OURS, *installed)
        }
        rates = _alternate({k: v.images_per_second for k, v in children.items()}, options)
    print(f"{net}, batch {BATCH_SIZES[net]}, two threads, a process each")
    missed = []
    for name in installed:
        ratio = _ratio(rates, "engine", name)
        least = LEAST.get(net, 1.0) if name == "texts" else 1.0
        most, lower = _ratio(rates, "limit", name), _ratio(rates, "bfloat16", name)
        print(
            f"  {f'engine / {name}':24} {ratio:6.2f}   "
            f"(the bare step: {most:.2f}; the engine in bfloat16: {lower:.2f})"
        )
        if ratio < least:
            missed.append(f"{net}: engine / {name} = {ratio:.2f} < {least}")
    _print_rates(rates, installed[0])
    return missed


def _alternate(
    lanes: dict[str, Callable[[float], float]], options: argparse.Namespace
) -> dict[str, list[float]]:
    """Pictures per second of each lane in each window, after a first one that is not counted."""
    rates: dict[str, list[float]] = {name: [] for name in lanes}
    for window in range(options.windows + 1):
        for name, run in lanes.items():
            rate = run(options.seconds)
            if window:
                rates[name].append(rate)
    return rates


def _window_ratios(rates: dict[str, list[float]], name: str, other: str) -> list[float]:
    """The ratio of two lanes' rates in each window."""
    return [rate / other_rate for rate, other_rate in zip(rates[name], rates[other], strict=True)]


def _ratio(rates: dict[str, list[float]], name: str, other: str) -> float:
    """The median ratio over windows; a slow phase of the machine slows both lanes."""
    return median(_window_ratios(rates, name, other))


def _print_rates(rates: dict[str, list[float]], reference: str) -> dict[str, float]:
    """Print a line per lane; return the median over windows of each ratio to the reference."""
    ratios = {}
    for name, values in rates.items():
        each = _window_ratios(rates, name, reference)
        ratios[name] = median(each)
        spread = f"{min(each):.2f} to {max(each):.2f}"
        print(f"  {name:24} {median(values):8,.0f} /s   {ratios[name]:6.3f}   ({spread})")
    sys.stdout.flush()
    return ratios


@contextmanager
def _reader(run_id: str, folders: Folders) -> Generator[Callable]:
    """Start a process that polls a run's new rows 4.5 times a second, as a page does.

    It is stopped except within the yielded context manager.
    """
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
    metrics = metrics_since(store, sys.argv[1], after, 0)
    json.dumps(metrics)
    after = max([after, *metrics["steps"]["step"]])
    time.sleep({_POLL_EVERY_SECONDS})
"""

if __name__ == "__main__":
    sys.exit(main())

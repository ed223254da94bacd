"""Several runs at once against one after the other: ``python -m bench.many``.

The same runs, in the same mode with one thread, are trained by a pool of one worker and by one of
as many workers as there are cores, in turns. Their results have to be equal to the bit. Needs
MNIST in ``CNNLAB_DATA``; nothing else may run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import median

from cnnlib.data.prepare import prepare
from cnnlib.design.presets import preset
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest
from cnnlib.runs import RunStore
from cnnlib.runs.capacity import default_runs
from cnnlib.runs.places.local_place import LocalPlace
from cnnlib.train.execution.host import processor_name

MODE = "t1-nhwc-fp32"
# Pictures of each run, so that none takes much longer than the others.
EIGHT = {"lenet5": 12_000, "cnn3": 6_000, "conv_maxpool": 3_000}


def request(name: str, **fields: object) -> RunRequest:
    """Return the request of a preset on MNIST, one epoch."""
    spec = preset(name).adapt((1, 28, 28), 10)
    return replace(RunRequest(spec, Recipe(epochs=1), "mnist", mode=MODE, preset=name), **fields)


def eight_runs() -> list[RunRequest]:
    """Return eight short runs of three designs."""
    names = [*EIGHT] * 3
    return [
        request(name, train_limit=EIGHT[name], seed=number) for number, name in enumerate(names[:8])
    ]


def ten_pairs() -> list[RunRequest]:
    """Return the runs of a duel of ten pairs in its order, without its early end."""
    return [request(name, seed=seed) for seed in range(10) for name in ("lenet5", "cnn3")]


def train_all(folders: Folders, requests: list[RunRequest], at_once: int) -> tuple[float, list]:
    """Train runs with a pool whose first worker is ready.

    Returns:
        The seconds from the submission to the last end, and the validation loss of each run.
    """
    with closing(RunStore(folders)) as store:
        pool = LocalPlace(folders, at_once)
        try:
            pool.start()
            warm_up = store.submit(request("lenet5", train_limit=512))
            _wait(store, [warm_up])
            begin = time.time()
            run_ids = store.submit_all(requests)
            _wait(store, run_ids)
            runs = [store.run(run_id) for run_id in run_ids]
        finally:
            pool.shutdown()
    if any(run.state != "finished" for run in runs):
        raise SystemExit(f"Not all runs finished: {[(run.state, run.reason) for run in runs]}")
    return max(run.ended or 0.0 for run in runs) - begin, [
        run.summary["last_val_loss"] for run in runs
    ]


def _wait(store: RunStore, run_ids: list[str]) -> None:
    while any(store.run(run_id).is_live for run_id in run_ids):
        time.sleep(0.05)


def compare(folders: Folders, what: str, requests: list[RunRequest], turns: int, goal: str) -> None:
    """Print one line of the table."""
    count = default_runs()
    alone, together = [], []
    losses = []
    for _ in range(turns):
        for at_once, seconds in ((1, alone), (count, together)):
            taken, found = train_all(folders, requests, at_once)
            seconds.append(taken)
            losses.append(found)
    ratios = [one / many for one, many in zip(alone, together, strict=True)]
    same = "equal bits" if all(each == losses[0] for each in losses) else "DIFFERENT RESULTS"
    print(
        f"{what:34} {median(alone):7.1f} s {median(together):7.1f} s  x{median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}), {1 / median(ratios):.2f} of the time; "
        f"goal {goal}; {same}",
        flush=True,
    )


def main() -> None:
    """Train in turns, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--duel-turns", type=int, default=1)
    options = parser.parse_args()
    own = Folders.from_environment()
    print(f"{processor_name()}, {default_runs()} runs at once")
    print(f"{'':34} {'one by one':>9} {'together':>9}")
    with tempfile.TemporaryDirectory() as temporary:
        folders = Folders(own.data, Path(temporary) / "runs")
        for _ in prepare("mnist", folders):
            pass
        compare(folders, "eight short runs", eight_runs(), options.turns, "x1.8")
        if options.duel_turns:
            compare(folders, "ten pairs, lenet5 and cnn3", ten_pairs(), options.duel_turns, "0.58")


if __name__ == "__main__":
    main()

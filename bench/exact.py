"""Bit-exact reproducibility of a run after interruptions, and its size on disk.

python -m bench.exact                  LeNet on MNIST: rewound, paused, killed twenty times
python -m bench.exact --kills 3
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from bench.lanes.ours import prepared_dataset
from cnnlib.design.presets import preset
from cnnlib.records.events import Command, Event
from cnnlib.records.folders import Folders
from cnnlib.records.recipe_presets import default_recipe
from cnnlib.records.run import Origin, RunRequest
from cnnlib.train.checkpoint import read_weights
from cnnlib.train.control import Control
from cnnlib.train.loop import train
from cnnlib.train.saver import newest_checkpoint, saved_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cnnlib.data.prepared import Prepared

STEPS = 200
MOST_BYTES = 20_000_000


def main() -> int:
    """Interrupt runs in every way and compare their last weights; return 1 if any differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.into:
        return train_until_killed(options.into)
    failures = []
    with tempfile.TemporaryDirectory() as runs:
        bench = Bench(Folders(Folders.from_environment().data, Path(runs)))
        failures += bench.check("the same request again", bench.trained("again"))
        failures += bench.check(f"{STEPS} steps replayed after a rewind", bench.rewound())
        failures += bench.check("paused, and stepped", bench.paused())
        for number in range(options.kills):
            step, folder = bench.killed(number)
            failures += bench.check(f"killed after step {step:3} and resumed", folder)
        failures += bench.size_on_disk()
    for line in failures:
        print(f"WRONG: {line}")
    return 1 if failures else 0


def small_run(prepared: Prepared) -> RunRequest:
    """The request of all checks: LeNet-5, four epochs on a part of MNIST."""
    spec = preset("lenet5").spec
    default = default_recipe(spec, "mnist", prepared.info.train_count)
    recipe = replace(default, epochs=4, max_batches=STEPS)
    return RunRequest(spec, recipe, "mnist", mode="t1-nhwc-fp32", train_limit=128 * 60)


def train_until_killed(folder: Path) -> int:
    """Train and print a line for each step; the parent process kills this one meanwhile."""
    prepared = prepared_dataset("mnist", Folders.from_environment())
    for event in train(small_run(prepared), prepared, folder=folder):
        if event.kind == "step":
            print(event.step, flush=True)
    return 0


class Bench:
    """Runs of one request in folders of their own."""

    def __init__(self, folders: Folders) -> None:
        self.folders = folders
        self.prepared: Prepared = prepared_dataset("mnist", folders)
        self.request = small_run(self.prepared)
        self.whole = self.trained("whole")

    def trained(self, name: str, request: RunRequest | None = None) -> Path:
        """Train a whole run; return its folder."""
        folder = self._folder(name)
        for _ in train(request or self.request, self.prepared, folder=folder):
            pass
        return folder

    def check(self, case: str, folder: Path) -> list[str]:
        """Compare the last weights with the whole run's; return the case if they differ."""
        one, other = _last_weights(self.whole), _last_weights(folder)
        same = one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)
        print(f"{case:44} {'equal to the last bit' if same else 'DIFFERENT'}", flush=True)
        return [] if same else [case]

    def rewound(self) -> Path:
        """Train again from the whole run's weights of step 0."""
        return self.trained("rewound", replace(self.request, origin=Origin("whole", 0)))

    def paused(self) -> Path:
        """Pause, step twice, resume; a pause has to happen before the next batch."""
        folder, control = self._folder("paused"), Control()
        for event in train(self.request, self.prepared, folder=folder, control=control):
            if event.kind == "step" and event.step == 50:
                for kind in ("pause", "step", "step", "resume"):
                    control.put(Command(kind))
            if event.kind == "phase" and event.state == "paused":
                print(f"  {event.text} (asked for after step 50)")
        return folder

    def killed(self, number: int) -> tuple[int, Path]:
        """Kill a child process in a random step, then resume its run and finish it."""
        folder = self._folder(f"killed-{number}")
        at_step = random.randrange(1, STEPS)
        own = {"CNNLAB_DATA": str(self.folders.data), "CNNLAB_RUNS": str(self.folders.runs)}
        child = subprocess.Popen(
            [sys.executable, "-m", "bench.exact", "--into", folder],
            stdout=subprocess.PIPE,
            env=os.environ | own,
        )
        for _ in range(at_step):
            child.stdout.readline()
        child.kill()
        child.communicate()
        for _ in self._resumed(folder):
            pass
        return at_step, folder

    def size_on_disk(self) -> list[str]:
        """Check the size of the files of a run with the default recipe."""
        recipe = default_recipe(self.request.spec, "mnist", self.prepared.info.train_count)
        request = replace(self.request, recipe=recipe, train_limit=None)
        folder = self.trained("default", request)
        size = sum(file.stat().st_size for file in folder.iterdir())
        print(f"{'a default MNIST run on disk':44} {size / 1e6:.1f} MB")
        return [f"{size:,} bytes on disk"] if size > MOST_BYTES else []

    def _resumed(self, folder: Path) -> Iterator[Event]:
        checkpoint = newest_checkpoint(folder)
        return train(self.request, self.prepared, folder=folder, resume=checkpoint)

    def _folder(self, name: str) -> Path:
        folder = self.folders.run(name)
        folder.mkdir(parents=True)
        return folder


def _last_weights(folder: Path) -> dict[str, torch.Tensor]:
    return read_weights(folder / saved_files(folder)[-1].file)


if __name__ == "__main__":
    sys.exit(main())

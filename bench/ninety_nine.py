"""Time to 99 % on MNIST's test pictures: the lab's own recipe, and a plain tensor loop.

python -m bench.ninety_nine                 five seeds of each, alternated

The lab's time is from the worker's claim of the run to its last step, recording included. The
plain loop's time is its training alone. The mean accuracy of the seeds has to reach 99 %.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from bench.lanes.child import ALLOCATOR
from bench.lanes.ours import prepared_dataset
from cnnlib.data.prepared import Prepared
from cnnlib.design.presets import preset
from cnnlib.design.spec import CNNSpec
from cnnlib.nets.model import build_model
from cnnlib.records.folders import Folders
from cnnlib.records.recipe_presets import RECIPES
from cnnlib.records.run import RunRequest
from cnnlib.runs import RunStore
from cnnlib.train.control import Control
from cnnlib.train.worker.execute_run import execute_run

if TYPE_CHECKING:
    from cnnlib.records.events import Event

MOST_SECONDS = 10.0
PLAIN_NET = CNNSpec(channels=(16, 32, 64), norm="batch")
Race = Callable[[int, Prepared, Folders], tuple[float, float]]


def main() -> int:
    """Time both and print; return 1 if the lab misses its limit of time or accuracy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.child:
        command = [sys.executable, "-m", "bench.ninety_nine", "--child", *sys.argv[1:]]
        return subprocess.call(command, env=os.environ | ALLOCATOR)
    races: dict[str, Race] = {"the lab": train_in_lab, "a plain loop": train_in_plain_loop}
    seconds: dict[str, list[float]] = {name: [] for name in races}
    scores: dict[str, list[float]] = {name: [] for name in races}
    with tempfile.TemporaryDirectory() as runs:
        folders = Folders(Folders.from_environment().data, Path(runs))
        prepared = prepared_dataset("mnist", folders)
        for seed in range(options.seeds):
            for name, race in races.items():
                took, accuracy = race(seed, prepared, folders)
                seconds[name].append(took)
                scores[name].append(accuracy)
                print(f"seed {seed}  {name:14} {took:5.1f} s  {accuracy:.2%}", flush=True)
    for name in races:
        spread = f"{min(seconds[name]):.1f} to {max(seconds[name]):.1f}"
        print(f"{name:14} {median(seconds[name]):5.1f} s ({spread})  {mean(scores[name]):.2%}")
    return int(median(seconds["the lab"]) > MOST_SECONDS or mean(scores["the lab"]) < 0.99)


def train_in_lab(seed: int, prepared: Prepared, folders: Folders) -> tuple[float, float]:
    """Train in the lab; return the seconds from claim to last step and the test accuracy."""
    spec, recipe = preset("mnist_fast").spec, RECIPES["fast99"].recipe
    store = RunStore(folders)
    last_step = 0.0

    def listen(event: Event) -> None:
        nonlocal last_step
        if event.kind == "step":
            last_step = perf_counter()

    with store.workers.registered("runs") as worker_id:
        run_id = store.submit(RunRequest(spec, recipe, "mnist", seed=seed), now=True)
        begin = perf_counter()
        execute_run(store.claim(worker_id, run_id), store, worker_id, Control(), listen)
    return last_step - begin, store.result(run_id).accuracy


def train_in_plain_loop(seed: int, prepared: Prepared, folders: Folders) -> tuple[float, float]:
    """Train with a plain loop over one tensor of the dataset, indexed by a permutation."""
    torch.manual_seed(seed)
    images, labels = _tensors(prepared.train_images, prepared.train_labels)
    net = build_model(PLAIN_NET)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.02)
    steps = -(-len(images) // 256)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.02, total_steps=steps)
    begin = perf_counter()
    for positions in torch.randperm(len(images)).split(256):
        loss = cross_entropy(net(images[positions]), labels[positions], label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    took = perf_counter() - begin
    return took, _accuracy(net, *_tensors(prepared.test_images, prepared.test_labels))


def _tensors(images, labels) -> tuple[torch.Tensor, torch.Tensor]:
    """All pictures, normalised, float32."""
    pictures = torch.from_numpy(images.copy()).float().div_(255).sub_(0.1307).div_(0.3081)
    return pictures, torch.from_numpy(labels.copy())


@torch.inference_mode()
def _accuracy(net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    net.eval()
    predictions = torch.cat([net(part).argmax(dim=1) for part in images.split(500)])
    return (predictions == labels).float().mean().item()


if __name__ == "__main__":
    sys.exit(main())

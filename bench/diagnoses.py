"""False and missed alarms of the diagnoses: ``python -m bench.diagnoses``.

Trains healthy runs on real pictures (none may be diagnosed) and runs with a planted problem (each
must be diagnosed, with the right kind), and prints a table. Needs MNIST in ``CNNLAB_DATA``; with
``folder:cifar10-jpeg`` there, a third of the healthy runs train on it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cnnlib.data.catalogue import catalogue
from cnnlib.data.prepare import prepare
from cnnlib.design.presets import preset
from cnnlib.design.spec import CNNSpec
from cnnlib.diagnosis.report import diagnoses_of
from cnnlib.records.events import Command, Event, StepMetrics
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.records.recipe_presets import default_recipe
from cnnlib.records.run import Run, RunRequest
from cnnlib.runs import RunStore
from cnnlib.train.control import Control
from cnnlib.train.worker.execute_run import execute_run

if TYPE_CHECKING:
    from collections.abc import Iterator

HEALTHY = 102
MNIST_DESIGNS = ("mlp", "lenet5", "cnn3", "mnist_fast", "conv_maxpool", "tiny99")
CIFAR_DESIGNS = ("conv_batchnorm", "three_layer")
CIFAR = "folder:cifar10-jpeg"
LEAST_ACCURACY = {"mnist": 0.8, CIFAR: 0.2}  # validation accuracy of a run that counts as healthy
RATE_CHANGE_STEP = 150


def main() -> None:
    """Train all runs and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.diagnoses", description=__doc__)
    parser.add_argument("--healthy", type=int, default=HEALTHY, help="number of healthy runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folders = replace(Folders.from_environment(), runs=Path(folder))
        names = {info.name for info in catalogue(folders)}
        datasets = ["mnist", *([CIFAR] if CIFAR in names else [])]
        for name in datasets:
            for _ in prepare(name, folders):
                pass
        with closing(RunStore(folders)) as store, store.workers.registered("runs") as worker_id:
            _report_healthy(store, worker_id, options.healthy, datasets)
            _report_planted(store, worker_id)


def _report_healthy(store: RunStore, worker_id: str, count: int, datasets: list[str]) -> None:
    """Train healthy runs and print the number of diagnoses by kind."""
    found: Counter[str] = Counter()
    healthy = 0
    for request in _healthy_requests(count, datasets):
        run = _train(store, worker_id, request)
        accuracy = run.summary.get("last_val_accuracy") or 0.0
        is_healthy = run.state == "finished" and accuracy >= LEAST_ACCURACY[request.dataset]
        healthy += is_healthy
        diagnoses = [each.title for each in diagnoses_of(store, run)]
        found.update(diagnoses if is_healthy else [])
        print(f"{run.title:36} {accuracy:.3f}  {', '.join(diagnoses) or 'none'}", flush=True)
    print(f"healthy runs: {healthy} of {count} trained; diagnosed: {dict(found) or 'none'}")


def _healthy_requests(count: int, datasets: list[str]) -> Iterator[RunRequest]:
    """Yield requests over designs, sizes of the training split and seeds."""
    for number in range(count):
        dataset = datasets[number % 3 == 2] if len(datasets) > 1 else datasets[0]
        designs = MNIST_DESIGNS if dataset == "mnist" else CIFAR_DESIGNS
        limit = 6000 if dataset == "mnist" else 2000
        size = (1, 28, 28) if dataset == "mnist" else (3, 32, 32)
        name = designs[number // 3 % len(designs)]
        spec = preset(name).adapt(size, 10)
        recipe = replace(default_recipe(spec, dataset, limit), epochs=3 + number % 3)
        yield RunRequest(
            *(spec, recipe, dataset),
            seed=number,
            train_limit=limit,
            validation=2000,
            mode=_MODE,
            preset=name,
        )


_MODE = "t1-nchw-fp32"
_LENET = preset("lenet5").spec
_PLANTED: dict[str, tuple[str, CNNSpec, Recipe, float | None]] = {
    # Problem -> kind of the diagnosis (or of one of two), design, recipe, rate set by hand later.
    "rate 0": ("not learning", _LENET, Recipe(epochs=4, lr=0.0), None),
    "rate 1e-7": ("not learning", _LENET, Recipe(epochs=4, lr=1e-7), None),
    "SGD with rate 30": (
        "diverging or not learning",
        _LENET,
        Recipe(epochs=4, optimizer="sgd", lr=30.0),
        None,
    ),
    "rate times 1000 by hand": ("diverging", _LENET, Recipe(epochs=6, lr=1e-3), 1.0),
    "15 sigmoid layers": (
        "not learning",
        CNNSpec(channels=(8,) * 15, activation="sigmoid", pool_every=5),
        Recipe(epochs=4, optimizer="sgd", lr=0.01),
        None,
    ),
    "dead ReLUs by a high rate": (
        "dead units or not learning",
        CNNSpec(channels=(16, 16), hidden_dims=(128,)),
        Recipe(epochs=4, lr=0.1),
        None,
    ),
    "300 pictures, 60 epochs": (
        "over-fitting",
        CNNSpec(channels=(32, 64), hidden_dims=(256,)),
        Recipe(epochs=60, lr=2e-3),
        None,
    ),
}


def _report_planted(store: RunStore, worker_id: str) -> None:
    """Train runs with planted problems and print what was diagnosed."""
    found = 0
    for problem, (kind, spec, recipe, changed_rate) in _PLANTED.items():
        for seed in range(3):
            limit = 300 if "pictures" in problem else 6000
            request = RunRequest(
                CNNSpec.from_dict(spec.to_dict() | {"in_size": (1, 28, 28)}),
                *(recipe, "mnist"),
                seed=seed,
                train_limit=limit,
                validation=2000,
                mode=_MODE,
                name=problem,
            )
            run = _train(store, worker_id, request, changed_rate)
            kinds = [each.kind for each in diagnoses_of(store, run)]
            found += any(each in kind for each in kinds)
            print(
                f"{problem:28} seed {seed}  {run.state:9}  {', '.join(kinds) or 'none'}", flush=True
            )
    print(f"planted problems found: {found} of {3 * len(_PLANTED)}")


def _train(
    store: RunStore, worker_id: str, request: RunRequest, changed_rate: float | None = None
) -> Run:
    """Train one run in this process; set another rate in its middle if one is given."""
    run_id = store.submit(request, now=True)
    run = store.claim(worker_id, run_id)
    assert run is not None
    control = Control()

    def listen(event: Event) -> None:
        is_due = isinstance(event, StepMetrics) and event.step == RATE_CHANGE_STEP
        if is_due and changed_rate is not None:
            control.put(Command("set", "lr", changed_rate))

    execute_run(run, store, worker_id, control, listen)
    return store.run(run_id)


if __name__ == "__main__":
    main()

"""How often the sanity check calls an attribution map informative: ``python -m bench.attribution``.

Trains a network for each dataset, and checks maps that carry nothing of what it learned (at most
5 % may pass), and the map of each attribution method for the predicted class (its power). Needs
MNIST in ``CNNLAB_DATA``; with ``folder:cifar10-jpeg`` there, that is a third dataset.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.stats import binomtest

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests" / "support"))

from useless_maps import useless_rankings  # noqa: E402

from cnnlib.data.batches import Normaliser  # noqa: E402
from cnnlib.data.catalogue import catalogue  # noqa: E402
from cnnlib.data.prepare import prepare  # noqa: E402
from cnnlib.design.presets import preset  # noqa: E402
from cnnlib.probe.attribution.methods import completeness, explain  # noqa: E402
from cnnlib.probe.attribution.sanity_checks import check_ranking, ranking_of  # noqa: E402
from cnnlib.probe.pictures import run_pictures  # noqa: E402
from cnnlib.probe.weights import network, run_at  # noqa: E402
from cnnlib.records.folders import Folders  # noqa: E402
from cnnlib.records.job import run_job  # noqa: E402
from cnnlib.records.recipe_presets import default_recipe  # noqa: E402
from cnnlib.records.run import RunRequest  # noqa: E402
from cnnlib.runs import RunStore  # noqa: E402
from cnnlib.train.control import Control  # noqa: E402
from cnnlib.train.worker.execute_run import execute_run  # noqa: E402
from cnnlib.units import percent  # noqa: E402
from cnnlib.vocabulary.inspection import ATTRIBUTION_METHODS  # noqa: E402

if TYPE_CHECKING:
    from cnnlib.nets.model import Network
    from cnnlib.probe.attribution.sanity_checks import Ranking
    from cnnlib.records.run import Run

DESIGNS = {  # dataset -> preset, epochs
    "mnist": ("lenet5", 2),
    "digits": ("lenet5", 20),
    "folder:cifar10-jpeg": ("cifar_fast", 6),
}
ALLOWED = 0.05  # share of useless maps that may pass


def main() -> int:
    """Print the tables; return 1 if useless maps pass significantly more often than allowed."""
    parser = argparse.ArgumentParser(prog="python -m bench.attribution", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="test pictures for each useless map")
    parser.add_argument("--power", type=int, help="and for each method; default: --count")
    parser.add_argument("--runs", type=Path, help="folder of runs: its networks are used again")
    parser.add_argument("--dataset", choices=DESIGNS, action="append", help="default: all")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folders = replace(Folders.from_environment(), runs=options.runs or Path(temporary))
        known = {info.name for info in catalogue(folders)}
        names = [name for name in options.dataset or DESIGNS if name in known]
        counts = options.count, options.power or options.count
        are_few = [_report(name, folders, *counts) for name in names]
        return 0 if all(are_few) else 1


def _report(dataset: str, folders: Folders, count: int, power: int) -> bool:
    """Print the share of informative maps of each kind; return whether useless ones are few.

    Args:
        count, power: Numbers of pictures for each useless map, and for each method.
    """
    run, _, weights = run_at(folders, _trained_run(dataset, folders).id)
    net, data = network(run.request.spec, weights), run_pictures(run, folders)
    pixels = torch.from_numpy(data.test_images[: max(count, power)].copy())
    images = Normaliser(data.info, "cpu")(pixels).numpy()
    accuracy = percent(run.summary.get("last_val_accuracy"))
    print(
        f"{run.title}, validation accuracy {accuracy}; {count} and {power} pictures",
        flush=True,
    )
    passed = [
        _share(name, net, images[:count], [useless_rankings(seed)[name] for seed in range(count)])
        for name in useless_rankings(0)
    ]
    for name, method in ATTRIBUTION_METHODS.items():
        _share(method.label, net, images[:power], [ranking_of(name)] * power)
    gaps = [_gap(net, image) for image in images[:power]]
    middle, high = np.quantile(gaps, (0.5, 0.95))
    print(f"gap of integrated gradients: median {percent(middle)}, 95 % quantile {percent(high)}")
    above = [binomtest(round(share * count), count, ALLOWED, "greater").pvalue for share in passed]
    return min(above) >= 0.01


def _share(name: str, net: Network, images: np.ndarray, rankings: list[Ranking]) -> float:
    """Print and return the share of pictures whose map is called informative."""
    checks = [
        run_job(check_ranking(ranking, net, image, _predicted(net, image), seed=number))
        for number, (image, ranking) in enumerate(zip(images, rankings, strict=True))
    ]
    share = float(np.mean([check.is_informative for check in checks]))
    copies = np.mean([check.beaten_copies == len(check.copies) for check in checks])
    random = np.mean([check.beaten_random_weights == len(check.random_weights) for check in checks])
    parts = f"all copies beaten {percent(copies, 0)}, all random weights {percent(random, 0)}"
    print(f"  {name:26}{percent(share, 0):>8}   ({parts})", flush=True)
    return share


def _gap(net: Network, image: np.ndarray) -> float:
    """Return the completeness gap of integrated gradients for the predicted class."""
    target = _predicted(net, image)
    found = explain(net, image, target, "integrated")
    return completeness(net, image, target, "integrated", found).gap


def _predicted(net: Network, image: np.ndarray) -> int:
    with torch.inference_mode():
        return int(net(torch.from_numpy(image)[None]).argmax())


def _trained_run(dataset: str, folders: Folders) -> Run:
    """Return a finished run on the dataset; train one if the folder has none."""
    for _ in prepare(dataset, folders):
        pass
    with closing(RunStore(folders)) as store, store.workers.registered("runs") as worker_id:
        for run in store.runs():
            if run.request.dataset == dataset and run.state == "finished":
                return run
        name, epochs = DESIGNS[dataset]
        spec = preset(name).spec
        recipe = replace(default_recipe(spec, dataset), epochs=epochs)
        request = RunRequest(spec, recipe, dataset, mode="t1-nchw-fp32", preset=name)
        run_id = store.submit(request, now=True)
        execute_run(store.claim(worker_id, run_id), store, worker_id, Control())
        return store.run(run_id)


if __name__ == "__main__":
    sys.exit(main())

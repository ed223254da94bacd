"""Surgery: what a network loses when one of its filters is muted, or put back to its first weights.

Muting sets a filter's weights and bias to 0, so that its map says the same of every picture.
Accuracy is measured on a seeded subset of the validation split, never on the test split.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cnnlib.data.batches import Normaliser
from cnnlib.data.split import stratified_order, train_validation_split
from cnnlib.design.plan import plan
from cnnlib.probe.filters import filters
from cnnlib.probe.pictures import run_pictures
from cnnlib.probe.weights import Weights, moments, network, read_arrays, run_at
from cnnlib.records.job import Progress
from cnnlib.runs import RunStore

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from cnnlib.data.prepared import Prepared
    from cnnlib.nets.model import Network
    from cnnlib.records.folders import Folders
    from cnnlib.records.run import Run, RunRequest

_BATCH = 250


def with_filter_muted(weights: Weights, layer: str, channel: int) -> dict[str, np.ndarray]:
    """The weights with one filter of a convolution set to 0."""
    return _exchanged(weights, {}, layer, channel)


def reset(weights: Weights, first: Weights, layer: str, channel: int) -> dict[str, np.ndarray]:
    """The weights with one filter of a convolution as it was in other weights."""
    return _exchanged(weights, first, layer, channel)


def _exchanged(weights: Weights, other: Weights, layer: str, channel: int) -> dict[str, np.ndarray]:
    found = dict(weights)
    for name in (f"{layer}.weight", f"{layer}.bias"):
        if name in found:
            changed = found[name].copy()
            changed[channel] = other[name][channel] if other else 0
            found[name] = changed
    return found


def subset(prepared: Prepared, request: RunRequest, count: int, seed: int) -> np.ndarray:
    """Indices of validation pictures (of training pictures where a run keeps none), stratified."""
    train, validation = train_validation_split(
        prepared.train_labels, request.validation, request.split_seed
    )
    there = validation if len(validation) else train
    order, _ = stratified_order(prepared.train_labels[there], seed)
    return np.sort(there[order[:count]])


def ablate(args: Mapping[str, Any], folders: Folders) -> Generator[Progress, None, dict[str, Any]]:
    """Change each filter of a layer in turn and measure: the job ``surgery``.

    Args:
        args: ``{"run", "step", "layer", "how": "mute" | "reset", "count", "seed"}``.

    Returns:
        ``{"count", "split", "before": accuracy, "classes_before": [...], "after": [accuracy per
        filter], "classes_after": [[...] per filter]}``; None for a class without pictures.

    Raises:
        CnnlibError: The run, its weights or its dataset are not there, or the layer has no filters.
    """
    run, _, weights = run_at(folders, args["run"], args["step"])
    first = _first_weights(folders, run.id) if args["how"] == "reset" else {}
    layer = args["layer"]
    planned = plan(run.request.spec)
    count = len(filters(planned, weights, layer))
    net = network(run.request.spec, weights)
    images, labels = _pictures(run, folders, args["count"], args["seed"])
    before = _class_accuracies(net, images, labels)
    after = []
    for channel in range(count):
        yield Progress(channel / count, f"filter {channel + 1} of {count}")
        changed = _exchanged(weights, first, layer, channel)
        net.load_state_dict({name: torch.from_numpy(value) for name, value in changed.items()})
        after.append(_class_accuracies(net, images, labels))
    return {
        "count": len(labels),
        "split": "validation" if run.request.validation else "training",
        "before": before[0],
        "classes_before": before[1],
        "after": [each[0] for each in after],
        "classes_after": [each[1] for each in after],
    }


def _first_weights(folders: Folders, run_id: str) -> Weights:
    """Those that a run began with."""
    with closing(RunStore(folders)) as store:
        saved = moments(store.saved_weights(run_id))
    return read_arrays(folders.run(run_id) / saved[min(saved)].file)


def _pictures(
    run: Run, folders: Folders, count: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """N x C x H x W, normalised, and N labels."""
    prepared = run_pictures(run, folders)
    chosen = subset(prepared, run.request, count, seed)
    images = torch.from_numpy(prepared.train_images[chosen])
    labels = torch.from_numpy(prepared.train_labels[chosen])
    return Normaliser(prepared.info, "cpu")(images), labels


@torch.inference_mode()
def _class_accuracies(
    net: Network, images: torch.Tensor, labels: torch.Tensor
) -> tuple[float, list[float | None]]:
    """Accuracy on all pictures, and on those of each class."""
    said = torch.cat([net(part).argmax(dim=1) for part in images.split(_BATCH)])
    right = said == labels
    classes = net.plan.spec.out_classes
    per_class = [right[labels == label] for label in range(classes)]
    shares = [float(each.float().mean()) if len(each) else None for each in per_class]
    return float(right.float().mean()), shares

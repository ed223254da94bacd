"""Ablation: accuracy after one filter is muted, or reset to its initial weights.

Muting sets a filter's weights and bias to 0, so that its map is constant. Accuracy is measured on a
seeded subset of the validation pictures, or of the training pictures where there is no validation
split, never on the test split.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cnnlib.data.batches import Normaliser
from cnnlib.data.split import stratified_order, train_validation_split
from cnnlib.design.plan import plan
from cnnlib.probe.filters import filters
from cnnlib.probe.forward import check_finite
from cnnlib.probe.pictures import run_pictures
from cnnlib.probe.weights import Weights, network, read_arrays, run_at, weights_by_step
from cnnlib.records.job import Progress
from cnnlib.runs import RunStore

if TYPE_CHECKING:
    from cnnlib.data.prepared import Prepared
    from cnnlib.nets.model import Network
    from cnnlib.records.folders import Folders
    from cnnlib.records.run import Run, RunRequest

_BATCH = 250


def replace_filter(
    weights: Weights, other: Weights, layer: str, channel: int
) -> dict[str, np.ndarray]:
    """Return the weights with one filter of a convolution set to 0, or taken from ``other``."""
    result = dict(weights)
    for name in (f"{layer}.weight", f"{layer}.bias"):
        if name in result:
            changed = result[name].copy()
            changed[channel] = other[name][channel] if other else 0
            result[name] = changed
    return result


def subset(prepared: Prepared, request: RunRequest, count: int, seed: int) -> np.ndarray:
    """Return a stratified sample of indices of validation pictures, or of training pictures.

    Training pictures are used if the run has no validation split.
    """
    train, validation = train_validation_split(
        prepared.train_labels,
        request.validation,
        request.split_seed,
        own=prepared.info.validation_count,
    )
    candidates = validation if len(validation) else train
    order, _ = stratified_order(prepared.train_labels[candidates], seed)
    return np.sort(candidates[order[:count]])


def ablate(args: Mapping[str, Any], folders: Folders) -> Generator[Progress, None, dict[str, Any]]:
    """Run the job ``surgery``: change each filter of a layer in turn, and measure the accuracy.

    Args:
        args: ``{"run", "step", "layer", "how": "mute" | "reset", "count", "seed"}``.

    Returns:
        ``{"count", "split", "before": accuracy, "classes_before": [...], "after": [accuracy per
        filter], "classes_after": [[...] per filter]}``; None for a class without pictures.

    Raises:
        CnnlibError: The run, its weights or its dataset are missing, or the layer has no filters.
    """
    run, _, weights = run_at(folders, args["run"], args["step"])
    first = _first_weights(folders, run.id) if args["how"] == "reset" else {}
    layer = args["layer"]
    network_plan = plan(run.request.spec)
    count = len(filters(network_plan, weights, layer))
    net = network(run.request.spec, weights)
    images, labels = _load_pictures(run, folders, args["count"], args["seed"])
    before = _class_accuracies(net, images, labels)
    after = []
    for channel in range(count):
        yield Progress(channel / count, f"filter {channel + 1} of {count}")
        changed = replace_filter(weights, first, layer, channel)
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
    """Read the weights that a run started from."""
    with closing(RunStore(folders)) as store:
        saved = weights_by_step(store.saved_weights(run_id))
        return read_arrays(store.weights_file(run_id, saved[min(saved)]))


def _load_pictures(
    run: Run, folders: Folders, count: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Load pictures (N x C x H x W, normalised) and N labels."""
    prepared = run_pictures(run, folders)
    chosen = subset(prepared, run.request, count, seed)
    images = torch.from_numpy(prepared.train_images[chosen])
    labels = torch.from_numpy(prepared.train_labels[chosen])
    return Normaliser(prepared.info, "cpu")(images), labels


@torch.inference_mode()
def _class_accuracies(
    net: Network, images: torch.Tensor, labels: torch.Tensor
) -> tuple[float, list[float | None]]:
    """Measure the accuracy on all pictures, and on those of each class."""
    logits = torch.cat([net(part) for part in images.split(_BATCH)])
    check_finite(logits)
    predicted = logits.argmax(dim=1)
    correct = predicted == labels
    classes = net.plan.spec.out_classes
    per_class = [correct[labels == label] for label in range(classes)]
    accuracies = [float(each.float().mean()) if len(each) else None for each in per_class]
    return float(correct.float().mean()), accuracies

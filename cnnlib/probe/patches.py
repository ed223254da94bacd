"""Patches of test pictures with the strongest activations of each channel."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cnnlib.data.batches import Normaliser
from cnnlib.errors import ProbeError
from cnnlib.nets.evaluate import evaluating
from cnnlib.probe.forward import check_finite, trace
from cnnlib.probe.graph import step_named
from cnnlib.probe.pictures import receptive_field, run_pictures
from cnnlib.probe.weights import network, run_at
from cnnlib.records.job import Progress

if TYPE_CHECKING:
    from cnnlib.data.prepared import Prepared
    from cnnlib.nets.model import Network
    from cnnlib.records.folders import Folders

PER_CHANNEL = 9
_BATCH = 50


def strongest_patches(
    net: Network, prepared: Prepared, layer: str, chosen: np.ndarray
) -> Generator[Progress, None, list[list[list[float]]]]:
    """Find the strongest activations of each channel in test pictures, at most one per picture.

    Args:
        chosen: Indices of test pictures.

    Returns:
        For each channel at most `PER_CHANNEL` of ``[picture, row, column, activation]``, the
        strongest first; row and column are positions in the layer's map.
    """
    name = step_named(net.plan, layer).name
    normalise = Normaliser(prepared.info, "cpu")
    maxima, positions = [], []
    with evaluating(net), torch.inference_mode():
        for begin in range(0, len(chosen), _BATCH):
            part = chosen[begin : begin + _BATCH]
            images = normalise(torch.from_numpy(prepared.test_images[part]))
            best = trace(net, images)[name].flatten(2).max(dim=2)  # N x C
            maxima.append(best.values.numpy())
            positions.append(best.indices.numpy())
            done = begin + len(part)
            yield Progress(done / len(chosen), f"picture {done:,} of {len(chosen):,}")
    activations, indices = np.concatenate(maxima), np.concatenate(positions)
    check_finite(activations)
    width = step_named(net.plan, layer).out_shape[2]
    order = np.argsort(-activations, axis=0, kind="stable")[:PER_CHANNEL]
    return [
        [
            [int(chosen[i]), *map(int, divmod(indices[i, c], width)), float(activations[i, c])]
            for i in order[:, c]
        ]
        for c in range(activations.shape[1])
    ]


def find_patches(
    args: Mapping[str, Any], folders: Folders
) -> Generator[Progress, None, dict[str, Any]]:
    """Run the job ``patches``: ``{"run", "step", "layer", "count", "seed"}``.

    Returns:
        ``{"count": number of pictures, "found": result of `strongest_patches`}``.

    Raises:
        CnnlibError: The run, its weights or its pictures are missing, or the layer has no maps.
    """
    run, _, weights = run_at(folders, args["run"], args["step"])
    prepared = run_pictures(run, folders)
    net = network(run.request.spec, weights)
    receptive_field(net.plan, args["layer"])
    count = min(args["count"], len(prepared.test_labels))
    if count == 0:
        raise ProbeError(
            f"The dataset {run.request.dataset} has no test pictures, and patches are searched in "
            "test pictures. Choose a run on another dataset."
        )
    order = np.random.default_rng(args["seed"]).permutation(len(prepared.test_labels))
    entries = yield from strongest_patches(net, prepared, args["layer"], np.sort(order[:count]))
    return {"count": count, "found": entries}

"""Patches of test pictures with the strongest activations of each channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cnnlib.data.batches import Normaliser
from cnnlib.design.layers import Conv2d, Pool
from cnnlib.design.shapes import reach
from cnnlib.errors import ProbeError
from cnnlib.probe.forward import evaluating, trace
from cnnlib.probe.graph import INPUT, step_named, steps
from cnnlib.probe.pictures import run_pictures
from cnnlib.probe.weights import network, run_at
from cnnlib.records.job import Progress

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from cnnlib.data.prepared import Prepared
    from cnnlib.design.plan import Plan
    from cnnlib.nets.model import Network
    from cnnlib.records.folders import Folders

PER_CHANNEL = 9
_BATCH = 50


@dataclass(frozen=True)
class ReceptiveField:
    """The square of pixels that one value of a map depends on.

    Args:
        size: Side of the square in pixels, including padding.
        jump: Distance in pixels between the squares of neighbouring values.
        before: Pixels from the start of the first square to the start of the picture.
    """

    size: int = 1
    jump: int = 1
    before: int = 0

    def corner(self, place: int, size: int, side: int) -> int:
        """Return the start of a square of ``size`` pixels at a value, clipped to the picture.

        Args:
            place: Row or column of the value.
            side: Height or width of the picture.
        """
        middle = place * self.jump - self.before + (self.size - size) // 2
        return max(0, min(side - size, middle))


def receptive_field(plan: Plan, name: str) -> ReceptiveField:
    """Compute the receptive field of a layer, along the main path of residual blocks.

    Raises:
        ProbeError: The layer has no maps.
    """
    step = step_named(plan, name)
    if len(step.out_shape) != 3 or step.kind == "global_avg_pool":
        raise ProbeError(
            f"{name} has no feature maps: each of its values depends on the whole picture. "
            "Choose a layer with feature maps."
        )
    known = {each.name: each for each in steps(plan)}
    chain = [step]
    while chain[-1].inputs[0] != INPUT:
        chain.append(known[chain[-1].inputs[0]])
    field = ReceptiveField()
    for each in reversed(chain):
        if isinstance(each.leaf, Conv2d | Pool):
            leaf = each.leaf
            size = field.size + (reach(leaf.kernel_size, leaf.dilation) - 1) * field.jump
            before = field.before + leaf.padding * field.jump
            field = ReceptiveField(size, field.jump * leaf.stride, before)
    return field


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
    width = step_named(net.plan, layer).out_shape[2]
    order = np.argsort(-activations, axis=0, kind="stable")[:PER_CHANNEL]
    return [
        [
            [int(chosen[i]), *map(int, divmod(indices[i, c], width)), float(activations[i, c])]
            for i in order[:, c]
        ]
        for c in range(activations.shape[1])
    ]


def crop_patch(prepared: Prepared, field: ReceptiveField, entry: list[float]) -> np.ndarray:
    """Crop the patch of one entry of `strongest_patches`: C x s x s, uint8."""
    picture = prepared.test_images[int(entry[0])]
    _, height, width = picture.shape
    size = min(field.size, height, width)
    top, left = (
        field.corner(int(place), size, side)
        for place, side in zip(entry[1:3], (height, width), strict=True)
    )
    return np.array(picture[:, top : top + size, left : left + size])


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

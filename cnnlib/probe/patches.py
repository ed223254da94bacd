"""What each filter looks for: the parts of test pictures that excite it most."""

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
class View:
    """Which pixels one value of a map depends on.

    Args:
        size: Side of the square, in pixels, padding included.
        jump: Pixels between the squares of neighbours.
        before: Pixels by which the first square begins before the picture.
    """

    size: int = 1
    jump: int = 1
    before: int = 0

    def corner(self, place: int, size: int, side: int) -> int:
        """Where the square of the n-th value begins, moved to lie inside a picture's side."""
        middle = place * self.jump - self.before + (self.size - size) // 2
        return max(0, min(side - size, middle))


def view_of(plan: Plan, name: str) -> View:
    """The view of a layer, along the main path of blocks.

    Raises:
        ProbeError: The layer has no maps.
    """
    step = step_named(plan, name)
    if len(step.out_shape) != 3 or step.kind == "global_avg_pool":
        raise ProbeError(
            f"{name} has no places on the picture: its values depend on all of it. "
            "Choose a layer with feature maps."
        )
    known = {each.name: each for each in steps(plan)}
    chain = [step]
    while chain[-1].inputs[0] != INPUT:
        chain.append(known[chain[-1].inputs[0]])
    view = View()
    for each in reversed(chain):
        if isinstance(each.leaf, Conv2d | Pool):
            leaf = each.leaf
            size = view.size + (reach(leaf.kernel_size, leaf.dilation) - 1) * view.jump
            before = view.before + leaf.padding * view.jump
            view = View(size, view.jump * leaf.stride, before)
    return view


def strongest_patches(
    net: Network, prepared: Prepared, layer: str, chosen: np.ndarray
) -> Generator[Progress, None, list[list[list[float]]]]:
    """The places in test pictures to which each channel answers most; one place a picture.

    Args:
        chosen: Indices of test pictures.

    Returns:
        For each channel at most `PER_CHANNEL` of ``[picture, row, column, answer]``, the strongest
        first; row and column are places in the layer's map.
    """
    name = step_named(net.plan, layer).name
    normalise = Normaliser(prepared.info, "cpu")
    strongest, places = [], []
    with evaluating(net), torch.inference_mode():
        for begin in range(0, len(chosen), _BATCH):
            part = chosen[begin : begin + _BATCH]
            images = normalise(torch.from_numpy(prepared.test_images[part]))
            best = trace(net, images)[name].flatten(2).max(dim=2)  # N x C
            strongest.append(best.values.numpy())
            places.append(best.indices.numpy())
            done = begin + len(part)
            yield Progress(done / len(chosen), f"picture {done:,} of {len(chosen):,}")
    answers, where = np.concatenate(strongest), np.concatenate(places)
    width = step_named(net.plan, layer).out_shape[2]
    order = np.argsort(-answers, axis=0, kind="stable")[:PER_CHANNEL]
    return [
        [
            [int(chosen[i]), *map(int, divmod(where[i, c], width)), float(answers[i, c])]
            for i in order[:, c]
        ]
        for c in range(answers.shape[1])
    ]


def patch(prepared: Prepared, view: View, found: list[float]) -> np.ndarray:
    """The part of a test picture that one entry of `strongest_patches` names: C x s x s, uint8."""
    picture = prepared.test_images[int(found[0])]
    _, height, width = picture.shape
    size = min(view.size, height, width)
    top, left = (
        view.corner(int(place), size, side)
        for place, side in zip(found[1:3], (height, width), strict=True)
    )
    return np.array(picture[:, top : top + size, left : left + size])


def find_patches(
    args: Mapping[str, Any], folders: Folders
) -> Generator[Progress, None, dict[str, Any]]:
    """The job ``patches``: ``{"run", "step", "layer", "count", "seed"}``.

    Returns:
        ``{"count": pictures looked at, "found": what `strongest_patches` returns}``.

    Raises:
        CnnlibError: The run, its weights or its pictures are not there, or the layer has no maps.
    """
    run, _, weights = run_at(folders, args["run"], args["step"])
    prepared = run_pictures(run, folders)
    net = network(run.request.spec, weights)
    view_of(net.plan, args["layer"])
    count = min(args["count"], len(prepared.test_labels))
    if count == 0:
        raise ProbeError(f"{run.request.dataset} has no test pictures to look for patches in.")
    order = np.random.default_rng(args["seed"]).permutation(len(prepared.test_labels))
    found = yield from strongest_patches(net, prepared, args["layer"], np.sort(order[:count]))
    return {"count": count, "found": found}

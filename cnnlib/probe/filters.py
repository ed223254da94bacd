"""Filters of convolutions and their strengths, and maps that are silent. Plain numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from cnnlib.errors import ProbeError
from cnnlib.probe.forward import evaluating, trace
from cnnlib.probe.graph import INPUT, step_named, steps

if TYPE_CHECKING:
    from cnnlib.design.plan import Plan
    from cnnlib.nets.model import Network
    from cnnlib.probe.weights import Weights


def convolutions(plan: Plan) -> list[str]:
    """Names of all convolutions in forward order."""
    return [step.name for step in steps(plan) if step.kind == "conv2d"]


def filters(plan: Plan, weights: Weights, layer: str) -> np.ndarray:
    """The filters of a convolution: out_channels x in_channels x k x k, float32.

    Raises:
        ProbeError: The layer is no convolution.
    """
    step = step_named(plan, layer)
    if step.kind != "conv2d":
        names = ", ".join(convolutions(plan)) or "none"
        raise ProbeError(
            f"{layer} is no convolution ({step.kind}), and only convolutions have filters. "
            f"Choose one of: {names}."
        )
    return weights[f"{step.name}.weight"]


def filter_norms(filters: np.ndarray) -> np.ndarray:
    """Euclidean length of each filter: out_channels, float64."""
    return np.sqrt((filters.astype(np.float64) ** 2).sum(axis=(1, 2, 3)))


def largest_weight(plan: Plan, weights: Weights) -> float:
    """The largest absolute weight of all convolutions, for one scale over the network."""
    return max((float(np.abs(weights[f"{n}.weight"]).max()) for n in convolutions(plan)), default=0)


def silent_maps(maps: np.ndarray) -> np.ndarray:
    """Which maps have one value everywhere, so that nothing is told by them.

    Args:
        maps: C x H x W, or N x C x H x W where a map must be silent on all pictures.

    Returns:
        C, bool. A 1 x 1 map counts as silent where it is 0.
    """
    stacked = maps.reshape(-1, *maps.shape[-3:])
    if stacked[0, 0].size == 1 and len(stacked) == 1:
        return stacked[0, :, 0, 0] == 0
    return stacked.max(axis=(0, 2, 3)) == stacked.min(axis=(0, 2, 3))


_BATCH = 50


def dead_channels(net: Network, images: np.ndarray) -> dict[str, np.ndarray]:
    """Channels, or features, that have one value at every place of every picture, by step.

    Args:
        images: N x C x H x W, float32, normalised; the more, the surer.

    Returns:
        Channels, bool, for each step in forward order. After a ReLU the one value is mostly 0.
    """
    lowest: dict[str, torch.Tensor] = {}
    highest: dict[str, torch.Tensor] = {}
    with evaluating(net), torch.inference_mode():
        for part in torch.from_numpy(np.ascontiguousarray(images)).split(_BATCH):
            for name, values in trace(net, part).items():
                flat = values.transpose(0, 1).flatten(1)  # channels x (pictures and places)
                low, high = flat.min(dim=1).values, flat.max(dim=1).values
                lowest[name] = torch.minimum(lowest.get(name, low), low)
                highest[name] = torch.maximum(highest.get(name, high), high)
    return {name: (lowest[name] == highest[name]).numpy() for name in lowest if name != INPUT}

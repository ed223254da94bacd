"""Filters of convolutions and their norms, and constant feature maps; numpy only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnnlib.errors import ProbeError
from cnnlib.probe.graph import step_named, steps

if TYPE_CHECKING:
    from cnnlib.design.plan import Plan
    from cnnlib.probe.weights import Weights


def convolutions(plan: Plan) -> list[str]:
    """Return the names of all convolutions in forward order."""
    return [step.name for step in steps(plan) if step.kind == "conv2d"]


def filters(plan: Plan, weights: Weights, layer: str) -> np.ndarray:
    """Return the filters of a convolution: out_channels x in_channels x k x k, float32.

    Raises:
        ProbeError: The layer is not a convolution.
    """
    step = step_named(plan, layer)
    if step.kind != "conv2d":
        names = ", ".join(convolutions(plan)) or "none"
        raise ProbeError(
            f"{layer} is not a convolution (its kind is {step.kind}), and only convolutions have "
            f"filters. Choose one of: {names}."
        )
    return weights[f"{step.name}.weight"]


def filter_norms(filters: np.ndarray) -> np.ndarray:
    """Compute the Euclidean norm of each filter: out_channels, float64."""
    return np.sqrt((filters.astype(np.float64) ** 2).sum(axis=(1, 2, 3)))


def largest_weight(plan: Plan, weights: Weights) -> float:
    """Return the largest absolute weight of all convolutions, for a common colour scale."""
    return max((float(np.abs(weights[f"{n}.weight"]).max()) for n in convolutions(plan)), default=0)


def silent_maps(maps: np.ndarray) -> np.ndarray:
    """Find the constant ("silent") maps.

    Args:
        maps: C x H x W; or N x C x H x W, for maps that have one value on all pictures.

    Returns:
        C, bool. A 1 x 1 map of one picture is silent if it is 0.
    """
    stacked = maps.reshape(-1, *maps.shape[-3:])
    if stacked[0, 0].size == 1 and len(stacked) == 1:
        return stacked[0, :, 0, 0] == 0
    return stacked.max(axis=(0, 2, 3)) == stacked.min(axis=(0, 2, 3))

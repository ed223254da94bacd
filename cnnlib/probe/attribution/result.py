"""What is known of attributions without torch: the result of their job, and its passes."""

from __future__ import annotations

import base64
from collections.abc import Generator, Mapping
from typing import Any

import numpy as np

from cnnlib.records.probe import DeletionCurve, RandomisedWeights


def read_explanation(
    result: Mapping[str, Any],
) -> tuple[np.ndarray, RandomisedWeights, DeletionCurve]:
    """Convert a job's result to the map and its two sanity checks."""
    values = np.frombuffer(base64.b64decode(result["map"]), "<f4").reshape(result["shape"])
    curve = result["curve"]
    checked = DeletionCurve(
        fractions=np.array(curve["fractions"]),
        ordered=np.array(curve["ordered"]),
        random=np.array(curve["random"]),
        least_gain=curve["least_gain"],
    )
    return values, RandomisedWeights(**result["weights"]), checked


INTEGRATION_STEPS = 50
OCCLUSION_WINDOW, OCCLUSION_STRIDE = 5, 2


def forward_passes(method: str, height: int, width: int) -> int:
    """Estimate the number of forward passes of a method; a backward pass counts as two."""
    if method == "occlusion":
        return 1 + len(list(patch_corners(height, width)))
    return 3 * INTEGRATION_STEPS if method == "integrated" else 3


def patch_corners(height: int, width: int) -> Generator[tuple[int, int]]:
    """Yield the top left corners of the occluding patches; the last may extend over the edge."""
    for row in range(0, _span(height), OCCLUSION_STRIDE):
        for column in range(0, _span(width), OCCLUSION_STRIDE):
            yield row, column


def _span(side: int) -> int:
    """Return the end of the range of patch corners along a side."""
    return max(1, side - OCCLUSION_WINDOW + OCCLUSION_STRIDE)

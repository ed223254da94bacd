"""What is known of attributions without torch: the result of their job, and its passes."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlib.records.probe import Completeness, SanityCheck

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

INTEGRATION_STEPS = 50
OCCLUSION_WINDOW, OCCLUSION_STRIDE = 5, 2
CONTROLS = 19  # of each kind: a map that is no better than they are beats all in one case of 20
FRACTIONS = np.linspace(0, 1, 11)  # of deleted pixels


def read_explanation(
    result: Mapping[str, Any],
) -> tuple[np.ndarray, Completeness | None, SanityCheck]:
    """Convert a job's result to the map, its completeness, and its sanity check."""
    values = np.frombuffer(base64.b64decode(result["map"]), "<f4").reshape(result["shape"])
    completeness = result["completeness"] and Completeness(**result["completeness"])
    return values, completeness, SanityCheck.from_dict(result["check"])


def forward_passes(method: str, height: int, width: int) -> int:
    """Estimate the number of forward passes of a method; a backward pass counts as two."""
    if method == "occlusion":
        return 1 + len(list(patch_corners(height, width)))
    return 3 * INTEGRATION_STEPS if method == "integrated" else 3


def check_passes(method: str, height: int, width: int) -> int:
    """Estimate the number of forward passes of the sanity check of a method's map."""
    maps = 1 + CONTROLS
    return maps * forward_passes(method, height, width) + (maps + CONTROLS) * len(FRACTIONS)


def patch_corners(height: int, width: int) -> Generator[tuple[int, int]]:
    """Yield the top left corners of the occluding patches; the last may extend over the edge."""
    for row in range(0, _span(height), OCCLUSION_STRIDE):
        for column in range(0, _span(width), OCCLUSION_STRIDE):
            yield row, column


def _span(side: int) -> int:
    """Return the end of the range of patch corners along a side."""
    return max(1, side - OCCLUSION_WINDOW + OCCLUSION_STRIDE)

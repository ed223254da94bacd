"""The result of the job that computes an attribution map, read without torch."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlib.records.probe import DeletionCurve, RandomisedWeights

if TYPE_CHECKING:
    from collections.abc import Mapping


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

"""Out-of-distribution (OOD) detection: distances to the training pictures, and error rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

OOD_FRACTION = 0.05  # share of training pictures that the threshold rates as OOD


@dataclass(frozen=True)
class OodErrorRate:
    """Errors on one kind of OOD pictures.

    Args:
        count: Number of pictures.
        missed: Share of them that was taken for real ones.
    """

    count: int
    missed: float


@dataclass(frozen=True, eq=False)
class OodDetector:
    """A detector of pictures that belong to no class, with its measured error rates.

    Args:
        known: Features of training pictures, N x features, float32, each row of length 1.
        quantiles: Distances of other training pictures to these, sorted.
        threshold: Pictures at a greater distance are rated as OOD.
        real_count: Test pictures that were measured.
        false_alarms: Share of them that is rated as OOD although they are real.
        error_rates: Errors by kind of OOD pictures.
    """

    known: np.ndarray
    quantiles: np.ndarray
    threshold: float
    real_count: int
    false_alarms: float
    error_rates: Mapping[str, OodErrorRate]

    def farther_than(self, distance: float) -> float:
        """Share of training pictures at a smaller distance, 0..1."""
        return float(np.searchsorted(self.quantiles, distance) / len(self.quantiles))

    def is_ood(self, distance: float) -> bool:
        """Whether the distance is above the threshold."""
        return distance > self.threshold

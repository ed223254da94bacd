"""How far pictures are from what a network was trained on, and how well that tells junk apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

OOD_FRACTION = 0.05  # of real pictures: the share that is given up to catch what is none


@dataclass(frozen=True)
class OodErrorRate:
    """Of one kind of junk: how many pictures, and which share was taken for real ones."""

    count: int
    missed: float


@dataclass(frozen=True, eq=False)
class OodDetector:
    """What one needs to say whether a picture looks like any class, and how often that is wrong.

    Args:
        known: N x features, float32: features of training pictures, each row of length 1.
        quantiles: Distances of other training pictures to these, in order.
        threshold: What is farther than this is called strange.
        real_count: Test pictures that were measured.
        false_alarms: The share of them that is called strange although they are real.
        junk: By kind: what is no picture of any class.
    """

    known: np.ndarray
    quantiles: np.ndarray
    threshold: float
    real_count: int
    false_alarms: float
    junk: Mapping[str, OodErrorRate]

    def farther_than(self, distance: float) -> float:
        """Share of real pictures that are nearer, 0..1."""
        return float(np.searchsorted(self.quantiles, distance) / len(self.quantiles))

    def is_ood(self, distance: float) -> bool:
        """It looks like none of the classes, as far as this can be told."""
        return distance > self.threshold

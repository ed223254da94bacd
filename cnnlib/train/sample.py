"""Accuracy on a fixed sample of the validation split, measured during the epochs."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import torch

from cnnlib.data.split import stratified_order
from cnnlib.nets.evaluate import evaluate
from cnnlib.records.events import SampleScore
from cnnlib.train.execution.machine import wait_for

if TYPE_CHECKING:
    from cnnlib.data.batches import DeviceData
    from cnnlib.nets.model import Network

SAMPLE_SIZE = 500  # pictures
_SHARE = 0.03  # of the run's time that these measurements may take


class ValidationSample:
    """A stratified sample of the validation split, the same in every run of a split.

    A measurement changes neither the random generators nor the running statistics of the network,
    so a run has the same bits with and without it.

    Attributes:
        seconds: Time of all measurements since the last `take_seconds`.
    """

    def __init__(self, data: DeviceData, memory_format: torch.memory_format) -> None:
        labels = data.validation_labels.cpu().numpy()
        order, _ = stratified_order(labels, seed=0)
        self._positions = torch.from_numpy(np.sort(order[:SAMPLE_SIZE]))
        self._data, self._memory_format = data, memory_format
        self._due_at = 0.0  # of the run's training seconds
        self.seconds = 0.0

    def is_due(self, train_seconds: float) -> bool:
        """Return whether a measurement now stays within its share of the time."""
        return train_seconds >= self._due_at and len(self._positions) > 0

    def measure(self, net: Network, step: int, train_seconds: float) -> SampleScore:
        """Count the correct predictions on the sample."""
        begin = perf_counter()
        batch = self._data.validation_batch(self._positions, self._memory_format)
        result = evaluate(net, [batch], len(self._data.info.classes))
        wait_for(self._data.device)
        took = perf_counter() - begin
        self.seconds += took
        self._due_at = train_seconds + took / _SHARE
        correct = round(result.accuracy * result.count)
        return SampleScore(step, correct, result.count, train_seconds)

    def take_seconds(self) -> float:
        """Return the time of the measurements since the last call."""
        seconds, self.seconds = self.seconds, 0.0
        return seconds

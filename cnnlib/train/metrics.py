"""From the tensors of a step to the numbers that are recorded, and how fast pictures go by."""

from __future__ import annotations

import math
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from cnnlib.records.events import StepMetrics

if TYPE_CHECKING:
    from cnnlib.train.progress import Progress

_GPU_WAIT_SECONDS = 0.05
_RATE_WINDOW_SECONDS = 0.1


class Stopwatch:
    """Counts seconds while it runs; holds still while a run is paused or measured."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._before = seconds
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds counted so far."""
        if self._since is None:
            return self._before
        return self._before + perf_counter() - self._since

    def start(self) -> None:
        """Go on counting."""
        if self._since is None:
            self._since = perf_counter()

    def stop(self) -> None:
        """Hold still."""
        self._before, self._since = self.seconds, None


class _PendingStep(NamedTuple):
    """A step that is yet to be read."""

    step: int
    loss: Tensor
    norm: Tensor
    lr: float
    images: int
    rate: float
    seconds: float


class MetricsRecorder:
    """Reads the loss and the gradient norm of steps, and sums them up over an epoch.

    Reading a number waits until the device has computed it. The CPU is done by then, so each step
    is read at once; a GPU is asked for several steps together, every 50 ms.

    Attributes:
        diverged_at: The first step whose loss or gradient was not a number; None as long as all
            were.
    """

    def __init__(self, device: torch.device, progress: Progress) -> None:
        self._wait_seconds = 0.0 if device.type == "cpu" else _GPU_WAIT_SECONDS
        self._progress = progress
        self._hits = torch.tensor(progress.correct, device=device)
        self._pending: list[_PendingStep] = []
        self._read_at = perf_counter()
        self._images, self._seconds, self._rate = 0, progress.train_seconds, 0.0
        self.diverged_at: int | None = None

    def add(
        self,
        step: int,
        loss: Tensor,
        norm: Tensor,
        hits: Tensor,
        lr: float,
        images: int,
        now: float,
    ) -> None:
        """Keep one step.

        Args:
            hits: Pictures of the batch whose class was right, on the device.
            images: Pictures of the batch.
            now: Training time so far, in seconds.
        """
        self._hits += hits
        rate = self._images_per_second(images, now)
        self._pending.append(_PendingStep(step, loss.detach(), norm, lr, images, rate, now))

    def take(self, everything: bool = False) -> list[StepMetrics]:
        """The steps that can be read without making a GPU wait, or all; none after divergence."""
        if not self._pending or not (everything or self._is_time()):
            return []
        pending, self._pending = self._pending, []
        values = _numbers([tensor for reading in pending for tensor in reading[1:3]])
        read = []
        for reading, loss, norm in zip(pending, values[::2], values[1::2], strict=True):
            if not (math.isfinite(loss) and math.isfinite(norm)):
                self.diverged_at = reading.step
                break
            self._progress.loss_sum += loss * reading.images
            step, lr, rate, seconds = reading.step, reading.lr, reading.rate, reading.seconds
            read.append(StepMetrics(step, loss, lr, norm, rate, seconds))
        return read

    def count_hits(self) -> None:
        """Write the epoch's number of right answers into the run's progress."""
        self._progress.correct = int(self._hits)

    def end_epoch(self) -> None:
        """Count the right answers of the next epoch from nought."""
        self._hits.zero_()

    def _is_time(self) -> bool:
        if self._wait_seconds == 0.0:
            return True
        now = perf_counter()
        if now - self._read_at < self._wait_seconds:
            return False
        self._read_at = now
        return True

    def _images_per_second(self, images: int, now: float) -> float:
        """Over the last tenth of a second or so of training."""
        self._images += images
        elapsed = now - self._seconds
        if elapsed >= _RATE_WINDOW_SECONDS or (elapsed > 0 and not self._rate):
            self._rate = self._images / elapsed
            self._images, self._seconds = 0, now
        return self._rate


def _numbers(tensors: list[Tensor]) -> list[float]:
    """0-d tensors as numbers, with one question to the device."""
    if tensors[0].device.type == "cpu":
        return [tensor.item() for tensor in tensors]
    return torch.stack([tensor.float() for tensor in tensors]).tolist()

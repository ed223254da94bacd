"""Recording of step metrics: loss, gradient norm and training speed."""

from __future__ import annotations

import math
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from cnnlib.records.events import StepMetrics

if TYPE_CHECKING:
    from cnnlib.train.checkpoint import Progress

_GPU_WAIT_SECONDS = 0.05
_RATE_WINDOW_SECONDS = 0.1
_WARM_UP_STEPS = 10  # the first ones allocate memory and build kernels


class Stopwatch:
    """Counts the seconds of training; stopped while a run is paused or evaluated."""

    def __init__(self, seconds: float = 0.0) -> None:
        self._before = seconds
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """The seconds counted so far."""
        if self._since is None:
            return self._before
        return self._before + perf_counter() - self._since

    def start(self) -> None:
        """Start or continue counting."""
        if self._since is None:
            self._since = perf_counter()

    def stop(self) -> None:
        """Stop counting."""
        self._before, self._since = self.seconds, None


class _PendingStep(NamedTuple):
    """A step whose tensors were not yet read from the device."""

    step: int
    loss: Tensor
    norm: Tensor
    lr: float
    images: int
    rate: float
    seconds: float


class MetricsRecorder:
    """Reads the loss and the gradient norm of steps, and sums the loss over an epoch.

    Reading a number blocks until the device has computed it. On the CPU each step is read at once;
    on a GPU several steps are read together, every 50 ms.

    Attributes:
        diverged_at: The first step whose loss or gradient norm was not finite; None as long as all
            are.
    """

    def __init__(self, device: torch.device, progress: Progress) -> None:
        self._wait_seconds = 0.0 if device.type == "cpu" else _GPU_WAIT_SECONDS
        self._progress = progress
        self._hits = torch.tensor(progress.correct, device=device)
        self._pending: list[_PendingStep] = []
        self._read_at = perf_counter()
        self._images, self._seconds, self._rate = 0, progress.train_seconds, 0.0
        self._steps, self._warm_at, self._now = 0, 0.0, 0.0
        self.diverged_at: int | None = None

    @property
    def seconds_per_step(self) -> float | None:
        """The mean since the warm-up; None before twice as many steps."""
        timed = self._steps - _WARM_UP_STEPS
        return (self._now - self._warm_at) / timed if timed >= _WARM_UP_STEPS else None

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
        """Add one step.

        Args:
            hits: Number of correctly classified pictures of the batch, on the device.
            images: Pictures of the batch.
            now: Training time so far, in seconds.
        """
        self._hits += hits
        self._steps, self._now = self._steps + 1, now
        if self._steps == _WARM_UP_STEPS:
            self._warm_at = now
        rate = self._images_per_second(images, now)
        self._pending.append(_PendingStep(step, loss.detach(), norm, lr, images, rate, now))

    def take(self, everything: bool = False) -> list[StepMetrics]:
        """Return the metrics of pending steps if a read is due, up to a divergence.

        Args:
            everything: Read even if no read is due yet.
        """
        if not self._pending or not (everything or self._is_read_due()):
            return []
        pending, self._pending = self._pending, []
        values = _to_floats([tensor for each in pending for tensor in (each.loss, each.norm)])
        metrics = []
        for each, loss, norm in zip(pending, values[::2], values[1::2], strict=True):
            if not (math.isfinite(loss) and math.isfinite(norm)):
                self.diverged_at = each.step
                break
            self._progress.loss_sum += loss * each.images
            metrics.append(StepMetrics(each.step, loss, each.lr, norm, each.rate, each.seconds))
        return metrics

    def store_hits(self) -> None:
        """Write the epoch's number of correct predictions into the run's progress."""
        self._progress.correct = int(self._hits)

    def end_epoch(self) -> None:
        """Reset the number of correct predictions for the next epoch."""
        self._hits.zero_()

    def _is_read_due(self) -> bool:
        if self._wait_seconds == 0.0:
            return True
        now = perf_counter()
        if now - self._read_at < self._wait_seconds:
            return False
        self._read_at = now
        return True

    def _images_per_second(self, images: int, now: float) -> float:
        """Return the speed over about the last tenth of a second of training."""
        self._images += images
        elapsed = now - self._seconds
        if elapsed >= _RATE_WINDOW_SECONDS or (elapsed > 0 and not self._rate):
            self._rate = self._images / elapsed
            self._images, self._seconds = 0, now
        return self._rate


def _to_floats(tensors: list[Tensor]) -> list[float]:
    """Return 0-d tensors as floats, with one transfer from the device."""
    if tensors[0].device.type == "cpu":
        return [tensor.item() for tensor in tensors]
    return torch.stack([tensor.float() for tensor in tensors]).tolist()

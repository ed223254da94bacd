"""The state of a running run, shared by the modules of the training loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from cnnlib.data.split import stratified_order
from cnnlib.nets.evaluate import evaluate
from cnnlib.records.events import SampleScore
from cnnlib.train.execution.machine import wait_for
from cnnlib.train.randomness import augmentation_generator, derived_seed
from cnnlib.train.schedule import batch_ends

if TYPE_CHECKING:
    from cnnlib.data.batches import DeviceData
    from cnnlib.nets.model import Network
    from cnnlib.records.run import RunRequest
    from cnnlib.train.checkpoint import Circumstances, Progress
    from cnnlib.train.control import Control
    from cnnlib.train.execution.autotune_cache import TunedMode
    from cnnlib.train.execution.mode import ExecutionMode
    from cnnlib.train.execution.peak_memory import PeakMemory
    from cnnlib.train.metrics import MetricsRecorder, Stopwatch
    from cnnlib.train.optimizers import Optimizer
    from cnnlib.train.saver import Saver


@dataclass
class Session:
    """Objects and state of a running run.

    Args:
        eager_forward: The network with fused steps (`nets.training_form`).
        compiled_forward: The net compiled by ``torch.compile``; None if the mode does not compile.
        tuned_mode: The execution mode with its measured speed.
        step_seconds: Expected time of a step; 0 if unknown.
        record_speed: Stores the seconds of a step in training, for later forecasts.
        has_dropout: The net draws random numbers (dropout).
        evaluation_batch: Pictures in a batch of the evaluation.
        is_inspected: The run is being inspected, so its newest weights are saved.
        inspected_at, latest_due: Time of the last inspection, and of the next possible write of
            `latest`, in seconds of ``perf_counter``.
        latest_step: The step of the weights in `latest`.
        pause_after_step: Pause again after the current batch (single-stepping).
        is_changed: The design of this run was changed after its checkpoint.
        class_weights: Of the training loss, one per class; None without them.
        is_sketch: Only for the Lab: its end is not measured on the test split.
    """

    request: RunRequest
    data: DeviceData
    device: torch.device
    net: Network
    eager_forward: Callable[[Tensor], Tensor]
    compiled_forward: Callable[[Tensor], Tensor] | None
    optimizer: Optimizer
    mode: ExecutionMode
    tuned_mode: TunedMode
    step_seconds: float
    record_speed: Callable[[float], None]
    progress: Progress
    total_steps: int
    saver: Saver
    circumstances: Circumstances
    control: Control
    metrics: MetricsRecorder
    watch: Stopwatch
    folder: Path | None
    memory: PeakMemory
    has_dropout: bool
    sample: ValidationSample
    evaluation_batch: int
    is_inspected: bool = False
    inspected_at: float = -inf
    latest_due: float = -inf
    latest_step: int | None = None
    pause_after_step: bool = False
    is_changed: bool = False
    is_sketch: bool = False
    class_weights: Tensor | None = None

    @property
    def lr(self) -> float:
        """The learning rate before the schedule's factor: the recipe's, or the one set since."""
        return self.progress.settings.get("lr", self.request.recipe.lr)

    def batch_ends(self) -> list[int]:
        """Return the ends of the remaining batches of the current epoch."""
        size = self.request.recipe.batch_size
        return batch_ends(self.data.train_count, size, self.progress.position)

    def forward(self, images: Tensor) -> Tensor:
        """Run the forward pass; batches of another size run eagerly, to avoid recompilation."""
        if self.compiled_forward is not None and len(images) == self.request.recipe.batch_size:
            return self.compiled_forward(images)
        return self.eager_forward(images)

    def seed_step(self, step: int) -> None:
        """Seed torch's global generator (dropout) from the run's seed and the step."""
        if self.has_dropout:
            torch.manual_seed(derived_seed(self.request.seed, "dropout", step))

    def train_batch(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the pictures and labels of a step, augmented with the step's own generator."""
        augmentation = self.request.recipe.augmentation
        generator = augmentation_generator(augmentation, self.request.seed, self.progress.step)
        return self.data.train_batch(positions, augmentation, generator, self.mode.memory_format)

    def store_counters(self) -> None:
        """Write the correct predictions and the seconds into the run's progress."""
        self.metrics.store_hits()
        self.progress.train_seconds = self.watch.seconds


SAMPLE_SIZE = 500  # pictures
_SHARE = 0.03  # of the run's time that these measurements may take


class ValidationSample:
    """A stratified sample of the validation split, the same in every run of a split.

    A measurement changes neither the random generators nor the running statistics of the network,
    so a run has the same bits with and without it.

    Attributes:
        seconds: Time of all measurements since the last `take_seconds`.
    """

    def __init__(
        self, data: DeviceData, memory_format: torch.memory_format, batch_size: int
    ) -> None:
        labels = data.validation_labels.cpu().numpy()
        order, _ = stratified_order(labels, seed=0)
        self._positions = torch.from_numpy(np.sort(order[:SAMPLE_SIZE])).split(batch_size)
        self._data, self._memory_format = data, memory_format
        self._due_at = 0.0  # of the run's training seconds
        self.seconds = 0.0

    def is_due(self, train_seconds: float) -> bool:
        """Return whether a measurement now stays within its share of the time."""
        return train_seconds >= self._due_at and len(self._positions[0]) > 0

    def measure(self, net: Network, step: int, train_seconds: float) -> SampleScore:
        """Count the correct predictions on the sample."""
        begin = perf_counter()
        batches = (
            self._data.validation_batch(each, self._memory_format) for each in self._positions
        )
        result = evaluate(net, batches, len(self._data.info.classes))
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

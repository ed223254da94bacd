"""A run under way: everything that the loop works with."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cnnlib.records.recipe import Augmentation
from cnnlib.train.randomness import derived_seed
from cnnlib.train.schedule import batch_ends

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cnnlib.data.batches import DeviceData
    from cnnlib.nets.model import Network
    from cnnlib.records.run import RunRequest
    from cnnlib.train.checkpoint import Circumstances
    from cnnlib.train.control import Control
    from cnnlib.train.execution.autotune_cache import ModeChoice
    from cnnlib.train.execution.mode import ExecutionMode
    from cnnlib.train.execution.peak_memory import PeakMemory
    from cnnlib.train.metrics import MetricsRecorder, Stopwatch
    from cnnlib.train.optimizers import Optimizer
    from cnnlib.train.progress import Progress
    from cnnlib.train.saver import Saver


@dataclass
class Session:
    """A run under way.

    Args:
        formed: The net in its training form.
        compiled: The net as ``torch.compile`` made it, where that was chosen.
        draws: The net draws random numbers (dropout).
        is_watched: Somebody may be looking inside.
        looked_at, latest_at: When somebody last looked inside, and when `latest` was written, in
            seconds of ``perf_counter``; latest_step: the step that it holds.
        pauses_again: The run was paused, and holds still again after the batch under way.
    """

    request: RunRequest
    data: DeviceData
    device: torch.device
    net: Network
    formed: Callable[[Tensor], Tensor]
    compiled: Callable[[Tensor], Tensor] | None
    optimizer: Optimizer
    mode: ExecutionMode
    choice: ModeChoice
    progress: Progress
    total_steps: int
    saver: Saver
    circumstances: Circumstances
    control: Control
    metrics: MetricsRecorder
    watch: Stopwatch
    folder: Path | None
    memory: PeakMemory
    draws: bool
    is_watched: bool = False
    looked_at: float = -inf
    latest_at: float = -inf
    latest_step: int | None = None
    pauses_again: bool = False

    @property
    def lr(self) -> float:
        """The learning rate before the schedule's factor: the recipe's, or what a person set."""
        return self.progress.settings.get("lr", self.request.recipe.lr)

    def batch_ends(self) -> list[int]:
        """Where the batches that are left of the epoch under way end."""
        size = self.request.recipe.batch_size
        return batch_ends(self.data.train_count, size, self.progress.position)

    def forward(self, images: Tensor) -> Tensor:
        """The net as steps run it; a batch of another size is not worth another compilation."""
        if self.compiled is not None and len(images) == self.request.recipe.batch_size:
            return self.compiled(images)
        return self.formed(images)

    def seed_step(self, step: int) -> None:
        """What the net itself draws in a step (dropout) follows from the seed and the step."""
        if self.draws:
            torch.manual_seed(derived_seed(self.request.seed, "dropout", step))

    def train_batch(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """The next step's pictures and labels, augmented from a generator of the step's own."""
        recipe, generator = self.request.recipe, None
        if recipe.augmentation != Augmentation():
            seed = derived_seed(self.request.seed, "augmentation", self.progress.step)
            generator = torch.Generator().manual_seed(seed)
        layout = self.mode.memory_format
        return self.data.train_batch(positions, recipe.augmentation, generator, layout)

    def settle(self) -> None:
        """Bring the counters up to date after the last batch that was trained."""
        self.metrics.count_hits()
        self.progress.train_seconds = self.watch.seconds

"""The progress of a run: the part of a checkpoint that is not tensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

from cnnlib.design.checks import Check, check_fields
from cnnlib.records.checks import checks
from cnnlib.records.events import Setting
from cnnlib.records.record import Record

_COUNTS = ("step", "epoch", "position", "images", "correct", "epochs_since_best")
_count, _finite = checks.integer(0, 10**15), checks.number(-1e300, 1e300)
_CHECKS: dict[str, Check] = {
    **dict.fromkeys(_COUNTS, _count),
    **dict.fromkeys(("train_seconds", "epoch_began", "loss_sum"), _finite),
    "best_val_loss": checks.optional(_finite),
    "best_step": checks.optional(_count),
    "settings": checks.instance(dict),
}


@dataclass
class Progress(Record):
    """Counters and sums of a running run; updated by the loop, stored in checkpoints as JSON.

    Args:
        step: Updates done.
        epoch: Epochs finished.
        position: Pictures of the current epoch that were trained on.
        images: Pictures trained on since the start of the run.
        train_seconds: Time spent training.
        epoch_began: The value of train_seconds at the start of the current epoch.
        loss_sum: Sum over the epoch's pictures so far of their batch's mean loss.
        correct: Pictures of the epoch so far that were classified correctly in training.
        best_val_loss: Lowest validation loss of any epoch so far.
        epochs_since_best: Epochs finished since then.
        best_step: The step at the end of that epoch; None before the first.
        settings: Learning rate, momentum and weight decay that were changed during the run.
    """

    step: int = 0
    epoch: int = 0
    position: int = 0
    images: int = 0
    train_seconds: float = 0.0
    epoch_began: float = 0.0
    loss_sum: float = 0.0
    correct: int = 0
    best_val_loss: float | None = None
    epochs_since_best: int = 0
    best_step: int | None = None
    settings: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check all values, as a checkpoint file may come from an untrusted source."""
        check_fields(self, _CHECKS)
        for name, value in self.settings.items():
            checks.choice(get_args(Setting))("setting", name)
            checks.number(0, 1e12)(name, value)

    def end_epoch(self, val_loss: float | None) -> None:
        """Count the epoch and reset the sums for the next one."""
        self.epoch += 1
        self.position, self.correct = 0, 0
        self.loss_sum, self.epoch_began = 0.0, self.train_seconds
        self.epochs_since_best += 1
        if val_loss is not None and (self.best_val_loss is None or val_loss < self.best_val_loss):
            self.best_val_loss, self.epochs_since_best = val_loss, 0
            self.best_step = self.step

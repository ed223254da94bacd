"""A recipe: all settings of a training except the network and the dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from cnnlib.records.checks import (
    as_floats,
    check_choice,
    check_flag,
    check_integer,
    check_number,
    check_record,
)
from cnnlib.records.record import Record
from cnnlib.vocabulary.training import OPTIMIZERS, SCHEDULES

if TYPE_CHECKING:
    from cnnlib.vocabulary.entry import Entry

# Field of a recipe -> the table with its names.
CHOICES: dict[str, Mapping[str, Entry]] = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES}


@dataclass(frozen=True)
class Augmentation(Record):
    """Random changes to training pictures, sampled for each picture in each epoch.

    Args:
        flip: Mirror left and right with probability 1/2 (not for digits).
        shift: Shift by up to this many pixels in each direction, over an edge of zeros (shifted
            crop).
        cutout: Side of a square of the mean colour laid over the picture, in pixels; 0 is none
            (DeVries & Taylor 2017).
    """

    flip: bool = False
    shift: int = 0
    cutout: int = 0

    def __post_init__(self) -> None:
        check_flag("flip", self.flip)
        check_integer("shift", self.shift, 0, 64)
        check_integer("cutout", self.cutout, 0, 128)


@dataclass(frozen=True)
class Recipe(Record):
    """The settings of a training.

    Args:
        epochs: Passes over the training split; 0 only measures the untrained network.
        max_batches: Stop after this many steps in all; None is no limit.
        lr: Learning rate; with a schedule, its highest value.
        optimizer, schedule: Names of `cnnlib.vocabulary.training`.
        momentum: Used by the optimisers "momentum" and "nesterov" (Adam and AdamW have a beta1 of
            0.9, Muon a momentum of 0.95).
        weight_decay: L2 penalty (decoupled for AdamW and Muon) on weights; on norms and biases
            only with ``decay_norm_and_bias``.
        schedule: "constant"; "step" (times ``step_factor`` every ``step_epochs`` epochs);
            "cosine" (to 0 over the run); "one_cycle" (up over the first ``warmup`` of the run,
            then down to 0; Smith & Topin 2018).
        clip_grad_norm: Scale gradients down to this total norm; None disables clipping.
        patience: Early stopping: end after this many epochs without a better validation loss;
            None disables it.
        restore_best: With ``patience``, end with the weights of the epoch with the lowest
            validation loss, not with the last ones.
        test_each_epoch: Measure the test split after each epoch, as some course texts plot it.
            Such curves are labelled: selection by them is selection on the test split.
    """

    epochs: int = 5
    batch_size: int = 128
    optimizer: str = "adamw"
    lr: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    decay_norm_and_bias: bool = False
    schedule: str = "constant"
    step_epochs: int = 10
    step_factor: float = 0.1
    warmup: float = 0.25
    label_smoothing: float = 0.0
    clip_grad_norm: float | None = None
    patience: int | None = None
    restore_best: bool = True
    max_batches: int | None = None
    augmentation: Augmentation = field(default_factory=Augmentation)
    test_each_epoch: bool = False

    def __post_init__(self) -> None:
        check_integer("epochs", self.epochs, 0, 10_000)
        check_integer("batch_size", self.batch_size, 1, 65_536)
        for name, known in CHOICES.items():
            check_choice(name, getattr(self, name), known)
        check_number("lr", self.lr, 0.0, 1e6)
        check_number("momentum", self.momentum, 0.0, 0.9999)
        check_number("weight_decay", self.weight_decay, 0.0, 1e3)
        check_flag("decay_norm_and_bias", self.decay_norm_and_bias)
        check_integer("step_epochs", self.step_epochs, 1, 10_000)
        check_number("step_factor", self.step_factor, 0.0, 1.0, low_open=True)
        check_number("warmup", self.warmup, 0.0, 1.0)
        check_number("label_smoothing", self.label_smoothing, 0.0, 0.99)
        if self.clip_grad_norm is not None:
            check_number("clip_grad_norm", self.clip_grad_norm, 0.0, 1e9, low_open=True)
        if self.patience is not None:
            check_integer("patience", self.patience, 1, 10_000)
        check_flag("restore_best", self.restore_best)
        if self.max_batches is not None:
            check_integer("max_batches", self.max_batches, 0, 10**9)
        check_record("augmentation", self.augmentation, Augmentation)
        check_flag("test_each_epoch", self.test_each_epoch)
        as_floats(self, "lr", "momentum", "weight_decay", "step_factor", "warmup")
        as_floats(self, "label_smoothing", "clip_grad_norm")

    @property
    def restores_best(self) -> bool:
        """Whether training ends with the weights of the best epoch."""
        return self.patience is not None and self.restore_best

    def to_dict(self) -> dict[str, Any]:
        """As ``Record.to_dict``, in the form of older versions where they had the same meaning."""
        values = super().to_dict()
        if self.restore_best == (self.patience is None):
            del values["restore_best"]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """As ``Record.from_dict``; ``augmentation`` may be a nested object.

        A recipe with patience but without ``restore_best`` is from a version that did not restore.
        """
        values = dict(values) if isinstance(values, Mapping) else values
        if isinstance(values, dict):
            values.setdefault("restore_best", values.get("patience") is None)
        if isinstance(values, dict) and isinstance(values.get("augmentation"), Mapping):
            values["augmentation"] = Augmentation.from_dict(values["augmentation"])
        return super().from_dict(values)

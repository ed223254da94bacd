"""A recipe: all settings of a training except the network and the dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from cnnlib.design.checks import Check, check_fields
from cnnlib.design.cost import MAX_BATCH_SIZE
from cnnlib.records.record import Record, checks
from cnnlib.vocabulary.entry import Entry
from cnnlib.vocabulary.training import CLASS_BALANCES, OPTIMIZERS, SCHEDULES

# Field of a recipe -> the table with its names.
CHOICES: dict[str, Mapping[str, Entry]] = {
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "class_balance": CLASS_BALANCES,
}


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
        check_fields(self, _AUGMENTATION_CHECKS)


@dataclass(frozen=True)
class Recipe(Record):
    """The settings of a training.

    Args:
        epochs: Passes over the training split; 0 only measures the untrained network.
        max_batches: Stop after this many steps in all; None is no limit.
        lr: Learning rate; with a schedule, its highest value.
        optimizer, schedule: Names of `cnnlib.vocabulary.training`.
        momentum: Used by the optimisers "momentum" and "nesterov" (Adam and AdamW have a beta1 of
            0.9, Muon a momentum of 0.95, which is also the beta1 of its AdamW part).
        weight_decay: L2 penalty (decoupled for AdamW and Muon) on weights; on norms and biases
            only with ``decay_norm_and_bias``.
        schedule: "constant"; "step" (times ``step_factor`` every ``step_epochs`` epochs);
            "cosine" (to 0 over the run); "one_cycle" (up over the first ``warmup`` of the run,
            then down to 0; Smith & Topin 2018; a warm-up of at most one step begins at the highest
            rate).
        clip_grad_norm: Scale gradients down to this total norm; None disables clipping.
        patience: Early stopping: end after this many epochs without a better validation loss;
            None disables it.
        restore_best: With ``patience``, end with the weights of the epoch with the lowest
            validation loss, not with the last ones.
        test_each_epoch: Measure the test split after each epoch, as some course texts plot it.
            Such curves are labelled: selection by them is selection on the test split.
        class_balance: For classes of unequal size. "none"; "weights" (each picture's loss times a
            weight inverse to the size of its class); "sampling" (each epoch draws its pictures so
            that all classes are equally likely). Defined in `cnnlib.train.class_balance`.
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
    class_balance: str = "none"

    def __post_init__(self) -> None:
        check_fields(self, _CHECKS)

    @property
    def restores_best(self) -> bool:
        """Whether training ends with the weights of the best epoch."""
        return self.patience is not None and self.restore_best

    @property
    def training_loss_terms(self) -> tuple[str, ...]:
        """What the training loss has and the validation and test loss do not, as texts."""
        balanced = {"none": "", "weights": "class weights", "sampling": "balanced sampling"}
        smoothed = "label smoothing" if self.label_smoothing else ""
        return tuple(term for term in (smoothed, balanced[self.class_balance]) if term)

    def to_dict(self) -> dict[str, Any]:
        """As ``Record.to_dict``, in the form of older versions where they had the same meaning."""
        values = super().to_dict()
        if self.class_balance == "none":
            del values["class_balance"]
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


_AUGMENTATION_CHECKS: dict[str, Check] = {
    "flip": checks.flag,
    "shift": checks.integer(0, 64),
    "cutout": checks.integer(0, 128),
}

_CHECKS: dict[str, Check] = {
    "epochs": checks.integer(0, 10_000),
    "batch_size": checks.integer(1, MAX_BATCH_SIZE),
    **{name: checks.choice(known) for name, known in CHOICES.items()},
    "lr": checks.number(0, 1e6),
    "momentum": checks.number(0, 0.9999),
    "weight_decay": checks.number(0, 1e3),
    "decay_norm_and_bias": checks.flag,
    "step_epochs": checks.integer(1, 10_000),
    "step_factor": checks.number(0, 1, low_open=True),
    "warmup": checks.number(0, 1),
    "label_smoothing": checks.number(0, 0.99),
    "clip_grad_norm": checks.optional(checks.number(0, 1e9, low_open=True)),
    "patience": checks.optional(checks.integer(1, 10_000)),
    "restore_best": checks.flag,
    "max_batches": checks.optional(checks.integer(0, 10**9)),
    "augmentation": checks.instance(Augmentation),
    "test_each_epoch": checks.flag,
}

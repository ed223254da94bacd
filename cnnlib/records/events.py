"""Events of a run: small frozen records that the training loop yields and the store keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from cnnlib.records.record import Record
from cnnlib.records.run import RunState


@dataclass(frozen=True, slots=True)
class StepMetrics:
    """One optimiser update.

    Args:
        step: Counts from 1.
        loss: Mean over the batch, before the update, label smoothing included.
        lr: Learning rate that the update used.
        grad_norm: L2 norm of all gradients together, before clipping.
        images_per_second: Over the last tenth of a second or so of training.
        seconds: Training time since the start of the run, without pauses and evaluations.
    """

    step: int
    loss: float
    lr: float
    grad_norm: float
    images_per_second: float
    seconds: float
    kind: Literal["step"] = "step"


STEP_COLUMNS = tuple(field.name for field in fields(StepMetrics) if field.name != "kind")


@dataclass(frozen=True, slots=True)
class SampleScore:
    """Accuracy after a step on a fixed sample of the validation split.

    Args:
        correct: Number of correct predictions, of ``count`` pictures.
        seconds: Training time so far, as in `StepMetrics`.
    """

    step: int
    correct: int
    count: int
    seconds: float
    kind: Literal["sample"] = "sample"


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """The end of an epoch, with the metrics of the whole validation split.

    Args:
        epoch: Counts from 1; 0 for a recipe of 0 epochs.
        step: Steps done when it ended.
        train_loss: Mean over the epoch's batches as they were trained, label smoothing included.
        train_accuracy: Fraction 0..1 over the epoch's batches as they were trained.
        val_loss, val_accuracy: On the whole validation split, without label smoothing; None where
            the split is empty.
        test_loss, test_accuracy: Only with ``Recipe.test_each_epoch``.
        seconds: Training time of this epoch; eval_seconds: time of its measurements.
        val_confusion: Classes x classes counts (row: true, column: predicted) on the validation
            split.
        dead_units: By layer, the share of the units after a ReLU that were 0 on all of
            ``dead_units_images`` pictures; empty where there are no ReLUs.
        memory_bytes: Peak memory of the run so far; 0 if the machine does not report it.
    """

    epoch: int
    step: int
    train_loss: float
    train_accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    seconds: float
    eval_seconds: float
    test_loss: float | None = None
    test_accuracy: float | None = None
    val_confusion: tuple[tuple[int, ...], ...] | None = None
    dead_units: Mapping[str, float] = field(default_factory=dict)
    dead_units_images: int = 0
    memory_bytes: int = 0
    kind: Literal["epoch"] = "epoch"


CommandKind = Literal["pause", "resume", "step", "stop", "prune", "interrupt", "set", "look"]
Setting = Literal["lr", "momentum", "weight_decay"]


@dataclass(frozen=True, slots=True)
class Command:
    """A command to a run; each command is executed once.

    Args:
        kind: "pause"; "resume"; "step" (one batch, then pause); "stop" (end now, keep the weights);
            "prune" (the same, by a search); "interrupt" (end with a checkpoint, to be resumed);
            "set" (change ``setting`` to ``value``); "look" (update one ``latest`` snapshot for the
            next ten seconds, for inspection).
    """

    kind: CommandKind
    setting: Setting | None = None
    value: float | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class Intervention:
    """A command that was executed, with the step after which that happened.

    Args:
        order: The kind of command; "change" is a change of design or recipe, with what there was
            before as text in ``setting``.
    """

    step: int
    order: CommandKind | Literal["change"]
    setting: str | None = None
    value: float | None = None
    kind: Literal["intervention"] = "intervention"


@dataclass(frozen=True, slots=True)
class WeightsSaved:
    """Weights of one step were saved to disk.

    Args:
        file: Name inside the run's folder.
        what: "snapshot" (weights), "latest" (weights, overwritten during inspection) or
            "checkpoint" (everything that a bitwise continuation needs).
        size_bytes: Size of the file or files.
        dropped: Names of files that were deleted to stay within the run's budget.
    """

    step: int
    file: str
    what: Literal["snapshot", "latest", "checkpoint"]
    size_bytes: int
    dropped: tuple[str, ...] = ()
    kind: Literal["weights"] = "weights"


# The last phases of a run: its training has ended.
MEASURING_STOPPED = "measuring the validation split where the run was stopped"
MEASURING_TEST = "measuring the test split"


@dataclass(frozen=True, slots=True)
class Phase:
    """An activity other than training: "preparing mnist", "measuring the test split"."""

    state: RunState
    text: str
    kind: Literal["phase"] = "phase"


@dataclass(frozen=True)
class Started(Record):
    """Facts that are known before the first step.

    Args:
        total_steps: Steps of the whole recipe.
        batches_per_epoch: Steps of one epoch.
        fingerprint: Hash of the dataset's content.
        chosen: The execution mode, the trial's figures and the reason (``ExecutionMode`` as a
            dict).
        machine: ``Machine`` as a dict.
        forecast: ``{"seconds_per_epoch": ..., "peak_memory_bytes": ...}``.
        dead_units: As in `EpochEnd`, of the network before its first step.
    """

    total_steps: int
    batches_per_epoch: int
    fingerprint: str
    chosen: Mapping[str, Any]
    machine: Mapping[str, Any]
    forecast: Mapping[str, float] = field(default_factory=dict)
    dead_units: Mapping[str, float] = field(default_factory=dict)
    kind: Literal["started"] = "started"


@dataclass(frozen=True)
class RunEnd(Record):
    """The end of a run.

    Args:
        state: One of the ended states.
        reason: A sentence, or "" if the state is sufficient.
        test: Result on the test split, measured once; None without a measurement.
        latency: Median seconds of a forward pass: ``{"one": ..., "batch": ..., "batch_size":
            ...}``; empty if not measured.
        train_seconds: Training time without pauses and evaluations.
        images_per_second: Training pictures over ``train_seconds``.
        peak_memory_bytes: Peak memory of the run, its pictures included; 0 if the machine does not
            report it.
        weights_step: The step of the weights that early stopping restored, on which ``test`` was
            measured; None for those of the last step.
        validation: Result on the validation split, of the same weights as ``test``, if no
            `EpochEnd` holds it: the run was stopped in the middle of an epoch.
    """

    state: RunState
    reason: str = ""
    step: int = 0
    train_seconds: float = 0.0
    images_per_second: float = 0.0
    test: SplitResult | None = None
    latency: Mapping[str, float] = field(default_factory=dict)
    peak_memory_bytes: int = 0
    weights_step: int | None = None
    validation: SplitResult | None = None
    kind: Literal["end"] = "end"


@dataclass(frozen=True)
class SplitResult(Record):
    """The scores of a network on one split.

    Args:
        loss: Mean cross-entropy, without label smoothing.
        accuracy: Fraction 0..1.
        count: Pictures measured.
        class_accuracy: Fraction per class; None for a class without pictures.
        confusion: Classes x classes counts (row: true, column: predicted).
        predictions_file: Name of the file in the run's folder with label, predicted class and
            probabilities per picture (``.npz``: ``labels`` uint8/16 N, ``predicted`` N,
            ``probabilities`` float16 N x classes); "" where not stored.
    """

    loss: float
    accuracy: float
    count: int
    class_accuracy: tuple[float | None, ...]
    confusion: tuple[tuple[int, ...], ...]
    predictions_file: str = ""


Event = (
    StepMetrics | SampleScore | EpochEnd | Intervention | WeightsSaved | Phase | Started | RunEnd
)

"""Records of a run: its request, its state and the machine that it used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

from cnnlib.design.checks import Check, check_fields, shown
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import RecipeError
from cnnlib.records.dataset import dataset_title
from cnnlib.records.recipe import Recipe
from cnnlib.records.record import Record, checks
from cnnlib.units import plural
from cnnlib.vocabulary.datasets import BUILTIN

RunState = Literal[
    "queued",  # waits for a worker
    "starting",  # claimed by a worker: data, network, trial of execution modes
    "running",
    "paused",
    "finished",  # all epochs, or early stopping
    "stopped",  # by the Stop button; the weights are kept and measured
    "pruned",  # stopped by its search, because others were better; kept and measured, too
    "interrupted",  # the app was shut down, or Ctrl-C; can be resumed from its checkpoint
    "diverged",  # the loss was no longer a number; the last good weights are kept
    "failed",  # an error, with its reason
    "lost",  # its worker died; can be resumed from its last checkpoint
]
RUN_STATES: tuple[str, ...] = get_args(RunState)
LIVE_STATES: tuple[str, ...] = ("queued", "starting", "running", "paused")
ENDED_STATES: tuple[str, ...] = tuple(state for state in RUN_STATES if state not in LIVE_STATES)
RESUMABLE_STATES: tuple[str, ...] = (
    *("stopped", "pruned", "interrupted", "lost", "failed", "diverged"),
)
# Broken off: such a run has no result. One that diverged has one: its settings do not train.
BROKEN_OFF_STATES: tuple[str, ...] = ("lost", "stopped", "interrupted", "failed")

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "fp32", "bf16", "fastest")
NAME_LIMIT = 120
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")  # the id of a run, or one of its files
_OWN_DATASET = re.compile(r"folder:[^/\\\x00-\x1f\ud800-\udfff]{1,100}")


@dataclass(frozen=True)
class Origin(Record):
    """The starting point of a run that does not begin with fresh weights.

    Args:
        run_id: The run with the saved step that this one starts from.
        step: The saved step.
        weights_only: True takes the weights alone (fine-tuning); False continues everything.
        fitting: Continue with another design: tensors of equal name and shape keep their weights,
            running statistics and optimiser state, the others are fresh; step and epoch go on.
    """

    run_id: str
    step: int
    weights_only: bool = False
    fitting: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.run_id, str) or not PLAIN_NAME.fullmatch(self.run_id):
            raise RecipeError(
                f"origin.run_id is {shown(self.run_id)}, but the id of a run has only letters, "
                "digits, dots and dashes. Copy it from the list of runs."
            )
        check_fields(self, _ORIGIN_CHECKS, prefix="origin.")
        if self.weights_only and self.fitting:
            raise RecipeError(
                "origin.weights_only and origin.fitting are both true, but the first starts at "
                "step 0 and the second goes on. Choose one of them."
            )

    def to_dict(self) -> dict[str, Any]:
        """As ``Record.to_dict``; ``fitting`` only where it is true, as versions before wrote it."""
        values = super().to_dict()
        if not self.fitting:
            del values["fitting"]
        return values


@dataclass(frozen=True)
class RunRequest(Record):
    """All inputs that determine the result of a run.

    Args:
        seed: Seed of weights, data order, augmentation and dropout, each with its own generator.
        split_seed: Seed of the choice of the validation pictures.
        validation: Fraction of the training split that is kept for validation, stratified; or a
            number of pictures where it is 1 or more.
        train_limit: Number of training pictures to keep, stratified; None is all.
        device: "auto", "cpu", "cuda" or "mps".
        mode: A fixed execution mode (as ``ExecutionMode.name`` spells it), or "auto" to choose by
            trial.
        precision: "fp32" or "bf16" (bfloat16 in convolutions and matrix products, by autocast;
            weights stay float32); "fastest" measures both; "auto" is float32 on a processor, and
            "fastest" on a GPU.
        compile: Try ``torch.compile`` among the modes.
        origin: Where the run starts from; None is fresh weights.
        group: Common name of runs that belong together, such as the seeds of one submission.
    """

    spec: CNNSpec
    recipe: Recipe
    dataset: str
    seed: int = 0
    split_seed: int = 0
    validation: float = 0.1
    train_limit: int | None = None
    device: str = "auto"
    mode: str = "auto"
    precision: str = "auto"
    compile: bool = False
    name: str = ""
    preset: str = ""
    group: str = ""
    origin: Origin | None = None

    def __post_init__(self) -> None:
        check_fields(self, _CHECKS)
        check_dataset_name(self.dataset)

    @property
    def title(self) -> str:
        """The name as it was given, or the preset with dataset and seed; the step of a fork.

        Runs of a group share their name, so dataset and seed follow it.
        """
        title = self.name
        if self.group or not self.name:
            dataset = dataset_title(self.dataset)
            title = f"{title or self.preset or 'own design'} on {dataset}, seed {self.seed}"
        if self.origin is None or self.origin.weights_only:
            return title
        what = "changed after" if self.origin.fitting else "fork of"
        return f"{title}, {what} step {self.origin.step:,}"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """As ``Record.from_dict``; spec, recipe and origin are nested objects."""
        if not isinstance(values, Mapping):
            return super().from_dict(values)
        nested: dict[str, Any] = dict(values)
        for name, kind in (("spec", CNNSpec), ("recipe", Recipe), ("origin", Origin)):
            if isinstance(nested.get(name), Mapping):
                nested[name] = kind.from_dict(nested[name])
        return super().from_dict(nested)

    def to_dict(self) -> dict[str, Any]:
        """The request as plain JSON values; the spec in its own form."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return values | {
            "spec": self.spec.to_dict(),
            "recipe": self.recipe.to_dict(),
            "origin": self.origin.to_dict() if self.origin else None,
        }


def check_augmentation(request: RunRequest) -> None:
    """Check that the augmentation leaves something of the pictures.

    Not part of the record: runs of earlier versions have other values.

    Raises:
        RecipeError: The square of the cutout or the shift is too large for the pictures.
    """
    side = request.spec.in_size[-1]
    for name, most in (("cutout", side), ("shift", side - 1)):
        pixels = getattr(request.recipe.augmentation, name)
        if pixels > most:
            raise RecipeError(
                f"{name} is {pixels} pixels, but the pictures are {side} x {side}, so it must be "
                f"at most {most}. Use a number from 0 to {most}."
            )


def check_dataset_name(name: str) -> None:
    """Check the form of a dataset's name, but not whether the dataset exists.

    Raises:
        RecipeError: It is neither a known dataset nor ``folder:<name>``.
    """
    is_text = isinstance(name, str)
    is_own = is_text and _OWN_DATASET.fullmatch(name) and name not in ("folder:.", "folder:..")
    if not is_own and not (is_text and name in BUILTIN):
        raise RecipeError(
            f"dataset is {shown(name)}, but it must be one of these: {', '.join(BUILTIN)}, or "
            "folder:<name> for your own pictures. Choose one of them."
        )


_ORIGIN_CHECKS: dict[str, Check] = {
    "step": checks.integer(0, 10**12),
    "weights_only": checks.flag,
    "fitting": checks.flag,
}

_seed = checks.integer(0, 2**31 - 1)
_CHECKS: dict[str, Check] = {
    "spec": checks.instance(CNNSpec),
    "recipe": checks.instance(Recipe),
    "origin": checks.optional(checks.instance(Origin)),
    "seed": _seed,
    "split_seed": _seed,
    "validation": checks.number(0, 1e7),
    "train_limit": checks.optional(checks.integer(1, 10**8)),
    "device": checks.choice(DEVICES),
    "precision": checks.choice(PRECISIONS),
    **dict.fromkeys(("mode", "name", "preset", "group"), checks.text(NAME_LIMIT)),
    "compile": checks.flag,
}


@dataclass(frozen=True)
class Machine(Record):
    """The machine that a run used; speeds of different machines are never ranked together.

    Args:
        processor: Model name of the processor or GPU that trained.
        threads: Threads that torch used.
        versions: ``{"cnnlib": ..., "torch": ..., "python": ...}``.
    """

    processor: str
    device: str
    threads: int
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """The stored state of a run, from one row.

    Args:
        id: Short, sortable by submission time, safe in file names and URLs.
        reason: Why the run ended, as a sentence, unless the state is sufficient.
        step: Steps done; total_steps: steps that the recipe asks for (0 until known).
        epoch: Epochs finished.
        train_seconds: Training time without pauses, validation and trials.
        created, started, ended: Seconds since 1970; None before the event.
        plan_cost: ``{"params": ..., "macs": ...}`` of the plan.
        fingerprint: Hash of the prepared dataset's content.
        chosen: The execution mode with the reason, once chosen (``ExecutionMode`` as a dict); the
            times of the trial, and the ``step_seconds`` that were expected.
        intervened: A setting was changed during the run, so it is not pooled with others.
        summary: Values for the results table: first and last training loss, last and best
            validation accuracy, test accuracy, images per second, forecast; filled as they become
            known.
        phase: Current activity as text, if it is not training.
        attempt: 1, and one more after each resume.
        owner: The person who may change it, in class mode; "" is the operator.
        threads: Processor threads that it may use, or that its mode uses; 0 before its start.
    """

    id: str
    request: RunRequest
    state: RunState
    reason: str
    step: int
    total_steps: int
    epoch: int
    train_seconds: float
    created: float
    started: float | None
    ended: float | None
    plan_cost: Mapping[str, int]
    fingerprint: str
    chosen: Mapping[str, Any]
    machine: Machine | None
    intervened: bool
    summary: Mapping[str, Any]
    phase: str = ""
    attempt: int = 1
    owner: str = ""
    threads: int = 0

    @property
    def is_live(self) -> bool:
        """Whether it waits, runs or is paused, so that its numbers may change."""
        return self.state in LIVE_STATES

    @property
    def mode(self) -> str:
        """The execution mode, such as ``t2-nhwc-fp32``; "" before it is chosen."""
        return self.chosen.get("mode", "")

    @property
    def arithmetic(self) -> str:
        """Precision and compilation of the execution mode, such as ``bf16-compiled``.

        They change the expected result of a run; threads and memory format change its bits alone.
        """
        return "-".join(self.mode.split("-")[2:])

    @property
    def epochs_text(self) -> str:
        """The epochs of the recipe, or how many of them a run that has ended was trained for.

        ``30 epochs``; ``12 of 30 epochs`` after early stopping, or where the run was broken off.
        """
        recipe = self.request.recipe
        of_all = plural(recipe.epochs, "epoch")
        is_short = not self.is_live and recipe.max_batches is None and self.epoch < recipe.epochs
        return f"{self.epoch} of {of_all}" if is_short else of_all

    @property
    def progress_text(self) -> str:
        """The state of a run that has no result: ``stopped at step 48 of 164``; "" if finished."""
        if self.state == "finished":
            return ""
        state = "waiting" if self.state == "queued" else self.state
        if self.state in ("stopped", "pruned") and self.step:  # its numbers are of this step
            return f"{state} at step {self.step:,} of {self.total_steps:,}"
        at = f" after epoch {self.epoch} of {self.request.recipe.epochs}" if self.epoch else ""
        return f"{state}{at}"

    @property
    def val_step(self) -> int | None:
        """The step in the middle of an epoch after which the validation split was measured last."""
        return self.summary.get("val_step")

    @property
    def weights_step(self) -> int | None:
        """The step of the weights that early stopping restored; None for the last step."""
        return self.summary.get("weights_step")

    @property
    def title(self) -> str:
        """The request's title, with a number if an earlier run has the same."""
        return run_title(self.request, self.summary)


def run_title(request: RunRequest, summary: Mapping[str, Any]) -> str:
    """Title of a run: "lenet5 on MNIST, seed 0", with " (2)" for the second run of that title."""
    repeat = summary.get("repeat", 1)
    return request.title if repeat == 1 else f"{request.title} ({repeat})"

"""Where a run starts: from fresh weights, from another run's, or from a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from cnnlib.errors import RecipeError, TrainError
from cnnlib.records.recipe import Recipe
from cnnlib.train.checkpoint import Checkpoint, read_checkpoint, read_weights
from cnnlib.train.progress import Progress
from cnnlib.train.saver import saved_files

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from cnnlib.records.run import Origin, RunRequest


@dataclass(frozen=True)
class Start:
    """What a run starts with.

    Args:
        weights: The network's ``state_dict``; None keeps fresh weights.
        checkpoint: What else continues; None starts at step 0.
        is_fork: It continues another run, with something changed.
    """

    weights: dict[str, Tensor] | None = None
    checkpoint: Checkpoint | None = None
    is_fork: bool = False


def find_start(request: RunRequest, runs_folder: Path, resume: Path | None) -> Start:
    """Read from disk what a run starts with.

    Args:
        runs_folder: Holds one folder per run.
        resume: A checkpoint of this very run; it goes before the request's origin.

    Raises:
        TrainError: A file that is needed is not there.
    """
    if resume is not None:
        checkpoint = read_checkpoint(resume)
        return Start(checkpoint.weights, checkpoint)
    if request.origin is None:
        return Start()
    folder = runs_folder / request.origin.run_id
    if request.origin.weights_only:
        return Start(read_weights(folder / _saved(folder, request.origin, checkpoint=False)))
    checkpoint = read_checkpoint(folder / _saved(folder, request.origin, checkpoint=True))
    return Start(checkpoint.weights, checkpoint, is_fork=True)


def _saved(folder: Path, origin: Origin, checkpoint: bool) -> str:
    """Name of the file with the origin's step."""
    there = [saved for saved in saved_files(folder) if not checkpoint or saved.what == "checkpoint"]
    for saved in there:
        if saved.step == origin.step:
            return saved.file
    steps = ", ".join(str(step) for step in sorted({saved.step for saved in there})) or "none"
    kind = "checkpoint" if checkpoint else "saved step"
    raise TrainError(
        f"Run {origin.run_id} has no {kind} {origin.step} to start from. Choose one of: {steps}."
    )


def load_weights(net: nn.Module, weights: dict[str, Tensor], whole: bool) -> list[str]:
    """Put weights into a net.

    Args:
        whole: Every tensor has to fit. Otherwise those of another size (a last layer for other
            classes) stay fresh, as long as some fit.

    Returns:
        Names of the tensors that stay fresh.

    Raises:
        TrainError: The weights are those of another design.
    """
    own = net.state_dict()
    fitting = {
        name: value
        for name, value in weights.items()
        if name in own and own[name].shape == value.shape
    }
    fresh = [name for name in own if name not in fitting]
    if (whole and (fresh or len(fitting) < len(weights))) or not fitting:
        first = (fresh or sorted(weights))[0]
        raise TrainError(
            f"The saved weights are those of another design: {first} does not fit. Continue with "
            "the design of that run; other weights can only be taken over where layers agree."
        )
    net.load_state_dict(fitting, strict=False)
    return fresh


def starting_progress(start: Start, recipe: Recipe, fingerprint: str, train_count: int) -> Progress:
    """The counters with which the loop begins.

    A fork keeps step, epoch, position in the epoch and what a person set (unless the new recipe
    says otherwise); its seconds, and pictures per second, are its own.

    Args:
        train_count: Pictures of an epoch.

    Raises:
        TrainError: The dataset is another one than that of the checkpoint, or less of it is trained
            on than the checkpoint has seen.
        RecipeError: A fork has no epochs left.
    """
    if start.checkpoint is None:
        return Progress()
    progress, before = start.checkpoint.progress, start.checkpoint.circumstances
    if before.fingerprint != fingerprint:
        raise TrainError(
            "The checkpoint was made on other pictures than those of this dataset, so its position "
            "in an epoch means nothing here. Start from the weights alone."
        )
    if progress.position > train_count:
        raise TrainError(
            f"The checkpoint was made after {progress.position:,} pictures of an epoch, but an "
            f"epoch has {train_count:,} here. Train on as many as before, or start from a "
            "checkpoint at the end of an epoch."
        )
    if not start.is_fork:
        return progress
    if progress.epoch >= recipe.epochs:
        raise RecipeError(
            f"The fork starts after epoch {progress.epoch}, but its recipe ends after epoch "
            f"{recipe.epochs}. Ask for more epochs, or start from an earlier step."
        )
    changed = {f.name for f in fields(Recipe) if _differs(f.name, recipe, before.recipe)}
    progress.settings = {k: v for k, v in progress.settings.items() if k not in changed}
    progress.train_seconds = progress.epoch_began = 0.0
    progress.images = 0
    return progress


def _differs(field: str, one: Recipe, other: Recipe) -> bool:
    return getattr(one, field) != getattr(other, field)

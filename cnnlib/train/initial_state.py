"""The initial state of a run: fresh weights, weights of another run, or a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cnnlib.errors import RecipeError, TrainError
from cnnlib.nets.model import load_fitting
from cnnlib.train.checkpoint import Checkpoint, Progress, read_checkpoint, read_weights
from cnnlib.train.saver import saved_files

if TYPE_CHECKING:
    from torch import Tensor, nn

    from cnnlib.records.recipe import Recipe
    from cnnlib.records.run import Origin, RunRequest


@dataclass(frozen=True)
class Start:
    """The initial state of a run.

    Args:
        weights: The network's ``state_dict``; None keeps fresh weights.
        checkpoint: The checkpoint that is continued; None starts at step 0.
        is_fork: Whether the run continues another run, with a changed request.
        is_fitting: Whether the design may differ: tensors that do not fit stay fresh.
    """

    weights: dict[str, Tensor] | None = None
    checkpoint: Checkpoint | None = None
    is_fork: bool = False
    is_fitting: bool = False


def read_start(
    request: RunRequest, runs_folder: Path, resume: Path | None, origin: Path | None = None
) -> Start:
    """Read the initial state of a run from disk.

    Args:
        runs_folder: Has one folder per run.
        resume: A checkpoint of this same run; takes precedence over the request's origin.
        origin: The file of the request's origin; None finds it in the folder of that run.

    Raises:
        TrainError: A required file is missing or damaged.
    """
    if resume is not None:
        checkpoint = read_checkpoint(resume)
        is_changed = _has_changed_at(request, resume, checkpoint)
        return Start(checkpoint.weights, checkpoint, is_fitting=is_changed)
    if request.origin is None:
        return Start()
    if origin is None:
        folder = runs_folder / request.origin.run_id
        is_checkpoint = not request.origin.weights_only
        origin = folder / _find_saved_file(folder, request.origin, is_checkpoint)
    if request.origin.weights_only:
        return Start(read_weights(origin))
    checkpoint = read_checkpoint(origin)
    return Start(checkpoint.weights, checkpoint, is_fork=True, is_fitting=request.origin.fitting)


def _has_changed_at(request: RunRequest, resume: Path, checkpoint: Checkpoint) -> bool:
    """Return whether the run's design was changed since its own checkpoint."""
    origin = request.origin
    return (
        origin is not None
        and origin.fitting
        and origin.run_id == resume.parent.name
        and origin.step >= checkpoint.progress.step
    )


def _find_saved_file(folder: Path, origin: Origin, checkpoint: bool) -> str:
    """Return the name of the file with the origin's step."""
    available = [
        saved for saved in saved_files(folder) if saved.what == "checkpoint" or not checkpoint
    ]
    for saved in reversed(available):
        if saved.step == origin.step:
            return saved.file
    steps = ", ".join(str(step) for step in sorted({saved.step for saved in available})) or "none"
    kind = "checkpoint" if checkpoint else "saved weights"
    raise TrainError(
        f"Run {origin.run_id} has no {kind} at step {origin.step:,}. Choose one of these steps: "
        f"{steps}."
    )


def load_weights(
    net: nn.Module, weights: dict[str, Tensor], strict: bool, may_be_none: bool = False
) -> list[str]:
    """Copy weights into a net.

    Args:
        strict: Every tensor has to fit. Otherwise tensors of another shape (such as the last layer
            for other classes) keep their fresh values, as long as at least one fits.
        may_be_none: Allow that not even one fits.

    Returns:
        Names of the tensors that keep their fresh values.

    Raises:
        TrainError: The weights belong to another design.
    """
    fresh = load_fitting(net, weights)
    loaded = len(net.state_dict()) - len(fresh)
    if (strict and (fresh or loaded < len(weights))) or not (loaded or may_be_none):
        first = (fresh or sorted(weights))[0]
        raise TrainError(
            f"The saved weights belong to another design: {first} does not fit. Continue with the "
            "design of that run, or start from the weights of a run with equal layers."
        )
    return fresh


def initial_progress(start: Start, recipe: Recipe, fingerprint: str, train_count: int) -> Progress:
    """Return the counters with which the loop begins.

    A fork keeps step, epoch and position in the epoch. Its settings are those of its recipe. Its
    seconds, its count of pictures and its search for the best epoch start anew: the weights of
    earlier epochs are in the other run's folder. A run whose own design was changed keeps its
    seconds and its count of pictures, too.

    Args:
        train_count: Pictures of an epoch.

    Raises:
        TrainError: The dataset differs from that of the checkpoint, or an epoch is shorter than
            the checkpoint's position in it.
        RecipeError: A fork has no epochs left.
    """
    if start.checkpoint is None:
        return Progress()
    progress, before = start.checkpoint.progress, start.checkpoint.circumstances
    if before.fingerprint != fingerprint:
        raise TrainError(
            "The checkpoint was made on other pictures than those of this dataset, so training "
            "cannot continue at its position in an epoch. Start from the weights alone."
        )
    if progress.position > train_count:
        raise TrainError(
            f"The checkpoint was made after {progress.position:,} pictures of an epoch, but an "
            f"epoch now has only {train_count:,}. Train on as many pictures as before, or start "
            "from a checkpoint at the end of an epoch."
        )
    if not (start.is_fork or start.is_fitting):
        return progress
    if progress.epoch >= recipe.epochs:
        raise RecipeError(
            f"The run starts after epoch {progress.epoch}, but its recipe ends after epoch "
            f"{recipe.epochs}. Choose more epochs, or start from an earlier step."
        )
    progress.settings = {}
    progress.best_val_loss, progress.best_step, progress.epochs_since_best = None, None, 0
    if not start.is_fork:
        return progress
    progress.train_seconds = progress.epoch_began = 0.0
    progress.images = 0
    return progress

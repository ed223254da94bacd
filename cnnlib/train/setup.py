"""Set-up of a run: from a request to a `Session` that is ready for its first step."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import torch
from torch import nn

from cnnlib.data.batches import DeviceData
from cnnlib.data.split import run_split
from cnnlib.design.cost import cost
from cnnlib.design.plan import Plan, plan
from cnnlib.errors import RecipeError, TrainError
from cnnlib.nets.model import Network, build_model
from cnnlib.nets.training_form import training_form
from cnnlib.records.events import Phase, Setting, Started
from cnnlib.records.folders import Folders
from cnnlib.runs.capacity import usable_cores
from cnnlib.train.checkpoint import Circumstances, Progress
from cnnlib.train.class_balance import loss_weights
from cnnlib.train.evaluation import initial_dead_units
from cnnlib.train.execution.autotune import Trial, tune_mode
from cnnlib.train.execution.autotune_cache import TuningCache, step_seconds
from cnnlib.train.execution.forecast import evaluation_batch_size, peak_memory_bytes
from cnnlib.train.execution.machine import this_machine
from cnnlib.train.execution.mode import ExecutionMode
from cnnlib.train.execution.peak_memory import PeakMemory
from cnnlib.train.initial_state import Start, initial_progress, load_weights, read_start
from cnnlib.train.metrics import MetricsRecorder, Stopwatch
from cnnlib.train.optimizers import Optimizer, build_optimizer
from cnnlib.train.saver import Attempt, Saver
from cnnlib.train.schedule import batch_ends, total_step_count
from cnnlib.train.session import Session, ValidationSample

if TYPE_CHECKING:
    from cnnlib.data.prepared import Prepared
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.recipe import Recipe
    from cnnlib.records.run import RunRequest
    from cnnlib.train.control import Control
    from cnnlib.train.execution.autotune_cache import TunedMode

_DROPOUTS = (nn.Dropout, nn.Dropout2d)


def set_up(
    request: RunRequest,
    prepared: Prepared,
    device: torch.device,
    folder: Path | None,
    control: Control,
    resume: Path | None,
    settings: Mapping[str, float],
    threads: int | None,
    is_sketch: bool,
    attempt: Attempt | None,
) -> Generator[Phase, None, Session]:
    """Build all objects of a run; return the `Session`.

    Raises:
        CnnlibError: The request is invalid.
    """
    recipe, planned = request.recipe, plan(request.spec)
    check_fits(request, prepared.info)
    memory = PeakMemory(device)
    data = _load_data(request, prepared, device)
    check_splits(planned, request, data)

    origin = attempt.origin if attempt else None
    start = read_start(request, _runs_folder(folder), resume, origin)
    progress = initial_progress(start, recipe, prepared.info.fingerprint, data.train_count)
    progress.settings |= dict(settings)
    total_steps = total_step_count(recipe, progress, data.train_count)
    costs = cost(planned, batch_size=recipe.batch_size, optimizer=recipe.optimizer)
    net = build_model(planned, seed=request.seed).to(device)
    yield from _load_start_weights(net, start)

    trial = Trial(
        request,
        net,
        *data.first_batch(recipe.batch_size),
        cost=costs,
        threads=threads or usable_cores(),
        steps=total_steps,
        fixed=_checkpoint_mode(request, start, device),
        is_skipped=is_sketch,
    )
    cache = TuningCache(folder.parent.parent / "modes" if folder else None)
    tuned_mode = yield from tune_mode(trial, cache)
    mode = ExecutionMode.from_name(tuned_mode.mode)
    torch.set_num_threads(mode.threads)
    mode.place(net, device)
    net.train()
    eager_forward = training_form(net)
    evaluation_batch = evaluation_batch_size(planned, costs, device.type)
    return Session(
        request=request,
        data=data,
        device=device,
        net=net,
        eager_forward=eager_forward,
        compiled_forward=torch.compile(eager_forward) if mode.compiled else None,
        has_dropout=any(isinstance(module, _DROPOUTS) and module.p > 0 for module in net.modules()),
        optimizer=_restore_optimizer(net, recipe, start, progress),
        mode=mode,
        tuned_mode=tuned_mode,
        step_seconds=_step_seconds(tuned_mode, cache),
        record_speed=partial(cache.add_training, trial.key),
        progress=progress,
        total_steps=total_steps,
        saver=Saver(
            folder,
            total_steps,
            costs.weight_bytes,
            costs.optimizer_bytes,
            progress.best_step,
            attempt,
        ),
        circumstances=Circumstances(recipe, mode.name, device.type, prepared.info.fingerprint),
        control=control,
        metrics=MetricsRecorder(device, progress),
        watch=Stopwatch(progress.train_seconds),
        folder=folder,
        memory=memory,
        sample=ValidationSample(data, mode.memory_format, evaluation_batch),
        evaluation_batch=evaluation_batch,
        is_changed=start.is_fitting and not start.is_fork,
        is_sketch=is_sketch,
        class_weights=loss_weights(recipe, data.train_labels, request.spec.out_classes),
    )


def started_event(session: Session) -> Started:
    """Return the event with the facts known before the first step."""
    size, count = session.request.recipe.batch_size, session.data.train_count
    steps = len(batch_ends(count, size))
    memory = peak_memory_bytes(session.request, session.device.type) + session.data.size_bytes
    tuned = asdict(session.tuned_mode) | {"step_seconds": session.step_seconds}
    del tuned["trained_seconds_per_step"]
    return Started(
        total_steps=session.total_steps,
        batches_per_epoch=steps,
        fingerprint=session.circumstances.fingerprint,
        chosen=tuned | session.mode.to_dict(),
        machine=asdict(this_machine(session.device, session.mode.threads)),
        forecast={
            "seconds_per_epoch": session.step_seconds * steps,
            "peak_memory_bytes": memory,
        },
        dead_units=initial_dead_units(session),
    )


def _step_seconds(tuned: TunedMode, cache: TuningCache) -> float:
    """Return the expected seconds of a step; 0 if unknown."""
    measured = [each for each in cache.read_all() if each.measures_like(tuned)]
    return step_seconds(tuned.mode, measured or [tuned])


def _runs_folder(folder: Path | None) -> Path:
    """Return the parent folder of all runs' folders."""
    return folder.parent if folder else Folders.from_environment().run("-").parent


def _load_data(request: RunRequest, prepared: Prepared, device: torch.device) -> DeviceData:
    """Split the training pictures and load all splits onto the device."""
    train, validation = run_split(request, prepared)
    return DeviceData(prepared, train, validation, device)


def _load_start_weights(net: Network, start: Start) -> Generator[Phase]:
    """Load the initial weights into the net; emit the names of tensors that stay fresh."""
    if start.weights is not None:
        strict = start.checkpoint is not None and not start.is_fitting
        fresh = load_weights(net, start.weights, strict, may_be_none=start.is_fitting)
        if fresh:
            yield Phase("starting", f"weights loaded, except for {', '.join(fresh)}")


def _restore_optimizer(net: Network, recipe: Recipe, start: Start, progress: Progress) -> Optimizer:
    """Build the recipe's optimiser; restore its state from a checkpoint of the same optimiser."""
    optimizer = build_optimizer(net, recipe)
    if start.checkpoint and start.checkpoint.circumstances.recipe.optimizer == recipe.optimizer:
        try:
            optimizer.restore(start.checkpoint.optimizer, fitting=start.is_fitting)
        except (KeyError, RuntimeError) as error:
            raise TrainError(
                f"The checkpoint does not contain the state of its optimizer ({error}). It was "
                "changed: choose another checkpoint, or start from the weights alone."
            ) from error
    for setting in get_args(Setting):
        if setting in progress.settings and optimizer.supports(setting):
            optimizer.set(setting, progress.settings[setting])
    return optimizer


def _checkpoint_mode(request: RunRequest, start: Start, device: torch.device) -> str | None:
    """Return the checkpoint's mode, which a continuation keeps on the same kind of device.

    None without a checkpoint, for another design, on another kind of device, or if the request
    sets a mode.
    """
    if start.checkpoint is None or start.is_fitting or request.mode != "auto":
        return None
    before = start.checkpoint.circumstances
    return before.mode if before.device == device.type else None


def check_fits(request: RunRequest, info: DatasetInfo) -> None:
    """Check that the design has the picture size and the number of classes of the dataset.

    Raises:
        RecipeError: The sizes or the numbers of classes differ.
    """
    spec = request.spec
    if tuple(spec.in_size) != tuple(info.in_size) or spec.out_classes != len(info.classes):
        raise RecipeError(
            f"The design is for {_format_size(spec.in_size)} pictures and {spec.out_classes} "
            f"classes, but {info.name} has {_format_size(info.in_size)} pictures and "
            f"{len(info.classes)} classes. Adapt the design to the dataset."
        )


def check_splits(planned: Plan, request: RunRequest, data: DeviceData) -> None:
    """Check that required splits are not empty, and that batch norm never gets a single value.

    Raises:
        RecipeError: One of these does not hold.
    """
    count, validation_count = data.train_count, data.validation_count
    if request.recipe.epochs and not count:
        raise RecipeError(
            "The validation split contains every training picture, so none is left to train on. "
            "Choose a smaller validation split."
        )
    recipe = request.recipe
    if recipe.patience is not None and not validation_count:
        raise RecipeError(
            f"Early stopping (patience={recipe.patience}) needs the validation loss, but the "
            "validation split is empty. Choose a larger validation split, or switch off early "
            "stopping."
        )
    if recipe.epochs == 0 or min(recipe.batch_size, count) > 1:
        return
    for layer in planned.walk():
        if layer.kind == "norm" and layer.buffers and layer.out_shape[1:] == (1, 1):
            raise RecipeError(
                f"Batch norm in {layer.name} works on 1x1 maps, so it cannot normalise a batch of "
                "one picture. Use a batch size of 2 or more, or another normalisation."
            )


def _format_size(size: tuple[int, int, int]) -> str:
    return "x".join(str(side) for side in size)

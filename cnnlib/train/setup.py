"""From a request to a run that is ready for its first step."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, get_args

import torch
from torch import nn

from cnnlib.data.batches import DeviceData
from cnnlib.data.split import train_validation_split
from cnnlib.design.cost import cost
from cnnlib.design.plan import Plan, plan
from cnnlib.errors import RecipeError, TrainError
from cnnlib.nets.model import Network, build_model
from cnnlib.nets.training_form import training_form
from cnnlib.records.events import Phase, Setting, Started
from cnnlib.records.folders import Folders
from cnnlib.train.checkpoint import Circumstances
from cnnlib.train.execution.autotune import Trial, choose_mode
from cnnlib.train.execution.autotune_cache import ModeCache
from cnnlib.train.execution.forecast import peak_memory_bytes
from cnnlib.train.execution.machine import this_machine
from cnnlib.train.execution.mode import ExecutionMode, free_cores
from cnnlib.train.execution.peak_memory import PeakMemory
from cnnlib.train.initial_state import Start, find_start, load_weights, starting_progress
from cnnlib.train.metrics import MetricsRecorder, Stopwatch
from cnnlib.train.optimizers import Optimizer, build_optimizer
from cnnlib.train.saver import Saver
from cnnlib.train.schedule import batch_ends, step_count
from cnnlib.train.session import Session

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from cnnlib.data.prepared import Prepared
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.recipe import Recipe
    from cnnlib.records.run import RunRequest
    from cnnlib.train.control import Control
    from cnnlib.train.progress import Progress

_DROPOUTS = (nn.Dropout, nn.Dropout2d)


def set_up(
    request: RunRequest,
    prepared: Prepared,
    device: torch.device,
    folder: Path | None,
    control: Control,
    resume: Path | None,
    threads: int | None,
) -> Generator[Phase, None, Session]:
    """Put a run together; returns the `Session`.

    Raises:
        CnnlibError: The request cannot be carried out, and why.
    """
    recipe, planned = request.recipe, plan(request.spec)
    check_fits(request, prepared.info)
    memory = PeakMemory(device)
    data = _load(request, prepared, device)
    check_splits(planned, request, data)

    start = find_start(request, _runs_folder(folder), resume)
    progress = starting_progress(start, recipe, prepared.info.fingerprint, data.train_count)
    total_steps = _total_steps(recipe, progress, data.train_count)
    costs = cost(planned, batch_size=recipe.batch_size, optimizer=recipe.optimizer)
    net = build_model(planned, seed=request.seed).to(device)
    yield from _take_weights(net, start)

    trial = Trial(
        request,
        net,
        *data.first_batch(recipe.batch_size),
        cost=costs,
        threads=threads or free_cores(),
        steps=total_steps,
        fixed=_mode_to_keep(request, start, device),
    )
    cache = ModeCache(folder.parent.parent / "modes" if folder else None)
    choice = yield from choose_mode(trial, cache)
    mode = ExecutionMode.from_name(choice.mode)
    torch.set_num_threads(mode.threads)
    mode.place(net, device)
    net.train()
    formed = training_form(net)
    return Session(
        request=request,
        data=data,
        device=device,
        net=net,
        formed=formed,
        compiled=torch.compile(formed) if mode.compiled else None,
        draws=any(isinstance(module, _DROPOUTS) and module.p > 0 for module in net.modules()),
        optimizer=_optimizer(net, recipe, start, progress),
        mode=mode,
        choice=choice,
        progress=progress,
        total_steps=total_steps,
        saver=Saver(folder, total_steps, costs.weight_bytes, costs.optimizer_bytes),
        circumstances=Circumstances(recipe, mode.name, device.type, prepared.info.fingerprint),
        control=control,
        metrics=MetricsRecorder(device, progress),
        watch=Stopwatch(progress.train_seconds),
        folder=folder,
        memory=memory,
    )


def started(session: Session) -> Started:
    """What was settled before the first step."""
    size, count = session.request.recipe.batch_size, session.data.train_count
    steps = len(batch_ends(count, size))
    most = peak_memory_bytes(session.request, session.device.type) + session.data.size_bytes
    return Started(
        total_steps=session.total_steps,
        batches_per_epoch=steps,
        fingerprint=session.circumstances.fingerprint,
        chosen=asdict(session.choice) | session.mode.to_dict(),
        machine=asdict(this_machine(session.device, session.mode.threads)),
        forecast={
            "seconds_per_epoch": session.choice.seconds * steps,
            "peak_memory_bytes": most,
        },
    )


def _runs_folder(folder: Path | None) -> Path:
    """Where other runs have their folders."""
    return folder.parent if folder else Folders.from_environment().run("-").parent


def _load(request: RunRequest, prepared: Prepared, device: torch.device) -> DeviceData:
    train, validation = train_validation_split(
        prepared.train_labels,
        request.validation,
        request.split_seed,
        train_limit=request.train_limit,
        seed=request.seed,
    )
    return DeviceData(prepared, train, validation, device)


def _take_weights(net: Network, start: Start) -> Generator[Phase]:
    """Put the weights in with which the run starts, and tell which stay fresh."""
    if start.weights is not None:
        fresh = load_weights(net, start.weights, whole=start.checkpoint is not None)
        if fresh:
            yield Phase("starting", f"weights taken over, but for {', '.join(fresh)}")


def _optimizer(net: Network, recipe: Recipe, start: Start, progress: Progress) -> Optimizer:
    """The recipe's optimiser, with what it remembers where a run of the same optimiser goes on."""
    optimizer = build_optimizer(net, recipe)
    if start.checkpoint and start.checkpoint.circumstances.recipe.optimizer == recipe.optimizer:
        try:
            optimizer.restore(start.checkpoint.optimizer)
        except (KeyError, RuntimeError) as error:
            raise TrainError(
                f"The checkpoint does not hold what its optimizer remembers ({error}). It was "
                "changed; choose another one, or start from the weights alone."
            ) from error
    for setting in get_args(Setting):
        if setting in progress.settings and optimizer.takes(setting):
            optimizer.set(setting, progress.settings[setting])
    return optimizer


def _total_steps(recipe: Recipe, progress: Progress, count: int) -> int:
    """Steps at the end of the run, those before a continuation included."""
    epochs = max(0, recipe.epochs - progress.epoch)
    total = progress.step + step_count(count, recipe.batch_size, epochs, progress.position)
    return total if recipe.max_batches is None else min(total, recipe.max_batches)


def _mode_to_keep(request: RunRequest, start: Start, device: torch.device) -> str | None:
    """A continuation keeps the mode of its checkpoint, unless the request fixes another."""
    if start.checkpoint is None or request.mode != "auto":
        return None
    before = start.checkpoint.circumstances
    return before.mode if before.device == device.type else None


def check_fits(request: RunRequest, info: DatasetInfo) -> None:
    """The design takes the dataset's pictures and tells its classes apart."""
    spec = request.spec
    if tuple(spec.in_size) != tuple(info.in_size) or spec.out_classes != len(info.classes):
        raise RecipeError(
            f"The design takes {_size(spec.in_size)} pictures of {spec.out_classes} classes, but "
            f"{info.name} has {_size(info.in_size)} pictures of {len(info.classes)} classes. "
            "Adapt the design to the dataset."
        )


def check_splits(planned: Plan, request: RunRequest, data: DeviceData) -> None:
    """There is something to train on and to watch, and batch norm never sees a single value."""
    count, validation_count = data.train_count, data.validation_count
    if request.recipe.epochs and not count:
        raise RecipeError(
            "The validation split takes every training picture, so that none is left to train on. "
            "Choose a smaller validation split."
        )
    recipe = request.recipe
    if recipe.patience is not None and not validation_count:
        raise RecipeError(
            f"Early stopping (patience={recipe.patience}) watches the validation loss, but no "
            "pictures are kept for validation. Keep some, or leave early stopping out."
        )
    if recipe.epochs == 0 or min(recipe.batch_size, count) > 1:
        return
    for layer in planned.walk():
        if layer.kind == "norm" and layer.norm == "batch" and layer.out_shape[1:] == (1, 1):
            raise RecipeError(
                f"Batch norm in {layer.name} works on 1x1 maps, and cannot normalise batches of "
                "one picture. Use a batch size of 2 or more, or another normalisation."
            )


def _size(size: tuple[int, int, int]) -> str:
    return "x".join(str(side) for side in size)

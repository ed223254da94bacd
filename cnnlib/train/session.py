"""A run under way: everything that the loop works with, and how it is put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from math import inf
from pathlib import Path

import torch
from torch import Tensor, nn

from cnnlib.data.batches import DeviceData
from cnnlib.data.prepared import Prepared
from cnnlib.data.split import train_validation_split
from cnnlib.design.cost import Cost, cost
from cnnlib.design.plan import Plan, plan
from cnnlib.errors import RecipeError
from cnnlib.nets.model import Network, build_model
from cnnlib.nets.training_form import training_form
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.events import Phase, Started
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Augmentation
from cnnlib.records.run import RunRequest
from cnnlib.train.checkpoint import Circumstances
from cnnlib.train.choice import Choice, ChoiceShelf
from cnnlib.train.choosing import Trial, choose
from cnnlib.train.control import Control
from cnnlib.train.feed import batch_ends, step_count
from cnnlib.train.machine import this_machine
from cnnlib.train.memory import PeakMemory
from cnnlib.train.mode import ExecutionMode, free_cores
from cnnlib.train.optim import Optimizer, build_optimizer
from cnnlib.train.progress import Progress
from cnnlib.train.randomness import derived_seed
from cnnlib.train.readings import Readings, Stopwatch
from cnnlib.train.saver import Saver
from cnnlib.train.start import Start, find_start, load_weights, starting_progress

_DROPOUTS = (nn.Dropout, nn.Dropout2d)


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
    plan: Plan
    cost: Cost
    data: DeviceData
    device: torch.device
    net: Network
    formed: Callable[[Tensor], Tensor]
    compiled: Callable[[Tensor], Tensor] | None
    optimizer: Optimizer
    mode: ExecutionMode
    choice: Choice
    progress: Progress
    total_steps: int
    saver: Saver
    circumstances: Circumstances
    control: Control
    readings: Readings
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
        self.readings.count_hits()
        self.progress.train_seconds = self.watch.seconds


def set_up(
    request: RunRequest,
    prepared: Prepared,
    device: torch.device,
    folder: Path | None,
    control: Control,
    resume: Path | None,
    threads: int | None,
) -> Iterator[Phase]:
    """Put a run together; returns the `Session`.

    Raises:
        CnnlibError: The request cannot be carried out, and why.
    """
    recipe, planned = request.recipe, plan(request.spec)
    _check_fits(request, prepared.info)
    memory = PeakMemory(device)
    data = _load(request, prepared, device)
    _check_splits(planned, request, data)
    start = find_start(request, _runs_folder(folder), resume)
    progress = starting_progress(start, recipe, prepared.info.fingerprint)
    net = build_model(planned, seed=request.seed).to(device)
    if start.weights is not None:
        fresh = load_weights(net, start.weights, whole=start.checkpoint is not None)
        if fresh:
            yield Phase("starting", f"weights taken over, but for {', '.join(fresh)}")

    total_steps = _total_steps(request, progress, data.train_count)
    costs = cost(planned, batch_size=recipe.batch_size, optimizer=recipe.optimizer)
    images, labels = data.first_batch(recipe.batch_size)
    trial = Trial(
        request,
        net,
        images,
        labels,
        cost=costs,
        threads=threads or free_cores(),
        steps=total_steps,
        fixed=_mode_to_keep(request, start, device),
    )
    shelf = ChoiceShelf(folder.parent.parent / "modes" if folder else None)
    choice = yield from choose(trial, shelf)
    mode = ExecutionMode.from_name(choice.mode)
    torch.set_num_threads(mode.threads)
    mode.place(net, device).train()
    formed = training_form(net)
    optimizer = build_optimizer(net, recipe)
    if start.checkpoint and start.checkpoint.circumstances.recipe.optimizer == recipe.optimizer:
        optimizer.restore(start.checkpoint.optimizer)
    for setting, value in progress.settings.items():
        optimizer.set(setting, value)
    return Session(
        request=request,
        plan=planned,
        cost=costs,
        data=data,
        device=device,
        net=net,
        formed=formed,
        compiled=torch.compile(formed) if mode.compiled else None,
        draws=any(isinstance(module, _DROPOUTS) and module.p > 0 for module in net.modules()),
        optimizer=optimizer,
        mode=mode,
        choice=choice,
        progress=progress,
        total_steps=total_steps,
        saver=Saver(folder, total_steps, costs.weight_bytes, costs.optimizer_bytes),
        circumstances=Circumstances(recipe, mode.name, device.type, prepared.info.fingerprint),
        control=control,
        readings=Readings(device, progress),
        watch=Stopwatch(progress.train_seconds),
        folder=folder,
        memory=memory,
    )


def started(session: Session) -> Started:
    """What was settled before the first step."""
    size, count = session.request.recipe.batch_size, session.data.train_count
    steps = len(batch_ends(count, size))
    return Started(
        total_steps=session.total_steps,
        batches_per_epoch=steps,
        fingerprint=session.circumstances.fingerprint,
        chosen=asdict(session.choice) | session.mode.to_dict(),
        machine=asdict(this_machine(session.device, session.mode.threads)),
        forecast={
            "seconds_per_epoch": session.choice.seconds * steps,
            "peak_memory_bytes": session.cost.training_bytes + session.data.size_bytes,
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


def _total_steps(request: RunRequest, progress: Progress, count: int) -> int:
    """Steps at the end of the run, those before a continuation included."""
    recipe = request.recipe
    epochs = max(0, recipe.epochs - progress.epoch)
    total = progress.step + step_count(count, recipe.batch_size, epochs, progress.position)
    return total if recipe.max_batches is None else min(total, recipe.max_batches)


def _mode_to_keep(request: RunRequest, start: Start, device: torch.device) -> str | None:
    """A continuation keeps the mode of its checkpoint, unless the request fixes another."""
    if start.checkpoint is None or request.mode != "auto":
        return None
    before = start.checkpoint.circumstances
    return before.mode if before.device == device.type else None


def _check_fits(request: RunRequest, info: DatasetInfo) -> None:
    """The design takes the dataset's pictures and tells its classes apart."""
    spec = request.spec
    if tuple(spec.in_size) != tuple(info.in_size) or spec.out_classes != len(info.classes):
        raise RecipeError(
            f"The design takes {_size(spec.in_size)} pictures of {spec.out_classes} classes, but "
            f"{info.name} has {_size(info.in_size)} pictures of {len(info.classes)} classes. "
            "Adapt the design to the dataset."
        )


def _check_splits(planned: Plan, request: RunRequest, data: DeviceData) -> None:
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

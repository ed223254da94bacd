"""How long a run will take and how much memory, before anybody presses Train. (No torch here.)"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cnnlib.data.catalogue import dataset_info
from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.errors import DataError
from cnnlib.records.record import Record
from cnnlib.runs.workers.pool import visible_gpus
from cnnlib.train.execution.autotune_cache import ModeCache, ModeChoice, design_key, modes_folder
from cnnlib.train.execution.host import processor_name
from cnnlib.train.schedule import CPU_EVALUATION_BATCH, GPU_EVALUATION_BATCH, step_count

if TYPE_CHECKING:
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.folders import Folders
    from cnnlib.records.run import RunRequest

# Of one processor core, where nothing was measured yet: what small networks reach.
_GUESSED_FLOPS_PER_SECOND = 2e10
# What a step costs however small the network is.
_STEP_SECONDS = 3e-4

Basis = Literal["this design", "other designs", "a guess"]


@dataclass(frozen=True)
class Forecast(Record):
    """What a run will need.

    Args:
        seconds_per_epoch: Training time of one epoch, validation left out.
        seconds: Of all epochs that the recipe asks for.
        peak_memory_bytes: Of a training step, and the pictures of the dataset.
        basis: What was measured on this machine: steps of this very design and batch size, steps
            of other designs (scaled by their number of operations), or nothing yet.
    """

    seconds_per_epoch: float
    seconds: float
    peak_memory_bytes: int
    basis: Basis


def forecast(request: RunRequest, info: DatasetInfo, folders: Folders) -> Forecast:
    """Tell what a run will need, from its cost and from steps that were timed on this machine.

    Raises:
        SpecError: The design does not plan.
    """
    recipe = request.recipe
    costs = cost(plan(request.spec), batch_size=recipe.batch_size, optimizer=recipe.optimizer)
    device = _device(request)
    choices = ModeCache(modes_folder(folders)).all()
    alike = _made_alike(device, request.precision, choices)
    step_seconds, basis = _step_seconds(request, costs.training_step_flops, alike)
    count = _train_count(request, info)
    steps = step_count(count, recipe.batch_size, recipe.epochs)
    if recipe.max_batches is not None:
        steps = min(steps, recipe.max_batches)
    pictures = info.train_count + info.test_count
    pictures_bytes = pictures * (math.prod(info.in_size) + 8)
    return Forecast(
        seconds_per_epoch=step_seconds * step_count(count, recipe.batch_size, 1),
        seconds=step_seconds * steps,
        peak_memory_bytes=peak_memory_bytes(request, device) + pictures_bytes,
        basis=basis,
    )


def forecast_for_run(request: RunRequest, folders: Folders) -> dict[str, Any]:
    """A forecast as the run store takes it, beside a request; empty where nothing can be said.

    A dataset that is not there, or not yet known in size, is no reason to refuse a request: the run
    says so itself when its turn comes.
    """
    try:
        info = dataset_info(request.dataset, folders)
    except DataError:
        return {}
    return forecast(request, info, folders).to_dict() if info.train_count else {}


def peak_memory_bytes(request: RunRequest, device: str) -> int:
    """The most that training or measuring holds at once, beside the pictures of the dataset.

    Args:
        device: "cpu", "cuda" or "mps"; "auto" where that is not known.
    """
    recipe, planned = request.recipe, plan(request.spec)
    step = cost(planned, batch_size=recipe.batch_size, optimizer=recipe.optimizer)
    is_gpu = device in ("cuda", "mps")
    measured = cost(planned, batch_size=GPU_EVALUATION_BATCH if is_gpu else CPU_EVALUATION_BATCH)
    kept = step.weight_bytes + step.optimizer_bytes
    return max(step.training_bytes, kept + measured.peak_activation_bytes)


def _device(request: RunRequest) -> str:
    """Where a run will train; "auto" where only torch, which is not asked here, could tell."""
    if request.device == "auto" and visible_gpus():
        return "cuda"
    return request.device


def _step_seconds(
    request: RunRequest, step_flops: int, choices: list[ModeChoice]
) -> tuple[float, Basis]:
    """Seconds of a step, and what is known."""
    measured = [choice for choice in choices if choice.seconds > 0]
    size, key = request.recipe.batch_size, design_key(request.spec)
    for choice in measured:
        if choice.design == key and choice.batch_size == size:
            return choice.seconds, "this design"
    if not measured:
        return _STEP_SECONDS + step_flops / _GUESSED_FLOPS_PER_SECOND, "a guess"
    nearest = min(measured, key=lambda choice: _distance(choice.step_flops, step_flops))
    speed = nearest.step_flops / max(nearest.seconds - _STEP_SECONDS, nearest.seconds / 10)
    return _STEP_SECONDS + step_flops / max(speed, 1.0), "other designs"


def _made_alike(device: str, precision: str, choices: list[ModeChoice]) -> list[ModeChoice]:
    """Those made on a device and in a precision: steps of a GPU say nothing of a processor's, nor
    steps in bfloat16 of those in float32.
    """
    processor = processor_name()
    return [
        each
        for each in choices
        if device == "auto" or (each.device == processor) == (device == "cpu")
        if each.precision in _precisions(precision, is_gpu=each.device != processor)
    ]


def _precisions(asked: str, *, is_gpu: bool) -> tuple[str, ...]:
    """What a run may compute in; left open, a processor takes float32."""
    if asked == "auto":
        return ("fp32", "bf16") if is_gpu else ("fp32",)
    return (asked,)


def _distance(one: int, other: int) -> float:
    """How far two numbers of operations are apart, as a ratio."""
    return abs(math.log(max(1, one) / max(1, other)))


def _train_count(request: RunRequest, info: DatasetInfo) -> int:
    """Pictures to train on, to within rounding."""
    kept = request.validation if request.validation >= 1 else request.validation * info.train_count
    count = max(0, info.train_count - round(kept))
    return count if request.train_limit is None else min(count, request.train_limit)

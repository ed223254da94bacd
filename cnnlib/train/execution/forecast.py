"""Forecasts of a run's time and memory before training. (Does not import torch.)"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from cnnlib.data.catalogue import dataset_info
from cnnlib.design.cost import Cost, cost
from cnnlib.design.memory import Peak, evaluation_memory
from cnnlib.design.plan import Plan, plan
from cnnlib.errors import DataError
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.folders import Folders
from cnnlib.records.record import Record
from cnnlib.records.run import RunRequest
from cnnlib.runs.capacity import usable_cores, visible_gpus
from cnnlib.train.execution.autotune_cache import (
    TunedMode,
    TuningCache,
    design_key,
    modes_folder,
    step_seconds,
)
from cnnlib.train.execution.host import processor_name
from cnnlib.train.schedule import step_count

# Speed of small networks on one processor core; used before anything was measured.
_GUESSED_FLOPS_PER_SECOND = 2e10
# Memory of a process for each byte of the tensors that come and go: buffers of the kernels, and
# gaps between the blocks of glibc's heap. Between 1.2 and 2.0 for the presets (`bench.memory`).
_HEAP = 1.55
# Most pictures in a batch of the evaluation; larger batches are no faster.
_CPU_EVALUATION_BATCH, _GPU_EVALUATION_BATCH = 256, 2048
# Fixed time of a step, however small the network is.
_STEP_SECONDS = 3e-4

Basis = Literal["this design", "other designs", "a guess"]


@dataclass(frozen=True)
class Forecast(Record):
    """The expected time and memory of a run.

    Args:
        seconds_per_epoch: Training time of one epoch, validation left out.
        seconds: Training time of all epochs of the recipe.
        peak_memory_bytes: Memory of a training step or of the evaluation, whichever is larger, plus
            the pictures of the dataset.
        basis: The measurements on this machine that were used: steps of this design and batch size
            (of training, else of a trial), steps of other designs (scaled by their number of
            operations), or none.
    """

    seconds_per_epoch: float
    seconds: float
    peak_memory_bytes: int
    basis: Basis


def forecast(
    request: RunRequest, info: DatasetInfo, folders: Folders, threads: int | None = None
) -> Forecast:
    """Forecast a run from its cost and from steps that were measured on this machine.

    Args:
        threads: The most processor threads that the run may use, if its mode is open; None takes
            all cores.

    Raises:
        SpecError: The design is invalid.
    """
    recipe = request.recipe
    costs = cost(plan(request.spec), batch_size=recipe.batch_size, optimizer=recipe.optimizer)
    device = _device(request)
    tuned = TuningCache(modes_folder(folders)).read_all()
    comparable = _select_comparable(device, request.precision, tuned)
    threads = threads or usable_cores()
    per_step, basis = _step_seconds(request, costs.training_step_flops, comparable, threads)
    count = train_count(request, info)
    steps = step_count(count, recipe.batch_size, recipe.epochs)
    if recipe.max_batches is not None:
        steps = min(steps, recipe.max_batches)
    pictures = info.train_count + info.test_count
    pictures_bytes = pictures * (math.prod(info.in_size) + 8)
    return Forecast(
        seconds_per_epoch=per_step * step_count(count, recipe.batch_size, 1),
        seconds=per_step * steps,
        peak_memory_bytes=peak_memory_bytes(request, device) + pictures_bytes,
        basis=basis,
    )


def forecast_for_run(
    request: RunRequest, folders: Folders, threads: int | None = None
) -> dict[str, Any]:
    """Return a `forecast` as a dict for the run store; empty if none is possible.

    None is possible for a dataset that is missing or of unknown size; the run later fails with its
    own message.
    """
    try:
        info = dataset_info(request.dataset, folders)
    except DataError:
        return {}
    return forecast(request, info, folders, threads).to_dict() if info.train_count else {}


def peak_memory_bytes(request: RunRequest, device: str) -> int:
    """Return the peak memory of training and evaluation, without the pictures of the dataset.

    Args:
        device: "cpu", "cuda" or "mps"; "auto" if unknown.
    """
    recipe, planned = request.recipe, plan(request.spec)
    step = cost(planned, batch_size=recipe.batch_size, optimizer=recipe.optimizer)
    is_gpu = device in ("cuda", "mps")
    evaluation = evaluation_memory(planned, evaluation_batch_size(planned, step, device))
    if is_gpu:
        return max(step.training_peak.bytes, evaluation.bytes + step.optimizer_bytes)
    return max(in_process(step.training_peak), in_process(evaluation) + step.optimizer_bytes)


def evaluation_batch_size(planned: Plan, step: Cost, device: str) -> int:
    """Return the pictures in a batch of the evaluation: it takes no more memory than training.

    Args:
        step: Cost of the design for the batch size and the optimiser of the recipe.
        device: "cpu", "cuda" or "mps".
    """
    most = _GPU_EVALUATION_BATCH if device in ("cuda", "mps") else _CPU_EVALUATION_BATCH
    limit = step.training_peak.bytes - step.optimizer_bytes
    low, high = (evaluation_memory(planned, count).bytes for count in (1, most))
    # The peak is a convex function of the batch size, so the line between two sizes lies above it.
    fitting = 1 + (limit - low) * (most - 1) // (high - low)
    return max(min(step.batch_size, most), min(most, fitting))


def in_process(peak: Peak) -> int:
    """Return the memory that a process on the CPU needs for the tensors of a peak."""
    lasting = peak.parts["weights"] + peak.parts.get("optimizer", 0)
    return lasting + round(_HEAP * (peak.bytes - lasting))


def _device(request: RunRequest) -> str:
    """Return the type of the run's device; "auto" if only torch, not imported here, can decide."""
    if request.device == "auto" and visible_gpus():
        return "cuda"
    return request.device


def _step_seconds(
    request: RunRequest, step_flops: int, tuned_modes: list[TunedMode], threads: int
) -> tuple[float, Basis]:
    """Return the expected seconds of a step, and the basis of that number."""
    size, key = request.recipe.batch_size, design_key(request.spec)
    given = re.match(r"t(\d{1,3})-", request.mode)
    threads = int(given[1]) if given else threads
    of_design = [each for each in tuned_modes if each.design == key and each.batch_size == size]
    # An open mode is the one that was selected before, for the nearest number of threads.
    for tuned in sorted(of_design, key=lambda x: (x.is_given, abs(x.allowed_threads - threads))):
        like = [each for each in of_design if each.device == tuned.device]
        if seconds := step_seconds(request.mode, like) or step_seconds(tuned.mode, like):
            return seconds, "this design"
    measured = [
        (seconds, tuned)
        for tuned in tuned_modes
        if (seconds := step_seconds(tuned.mode, filter(tuned.measures_like, tuned_modes)))
    ]
    if not measured:
        return _STEP_SECONDS + step_flops / _GUESSED_FLOPS_PER_SECOND, "a guess"

    def distance(each: tuple[float, TunedMode]) -> tuple[float, int]:
        tuned = each[1]
        return _log_ratio(tuned.step_flops, step_flops), abs(tuned.allowed_threads - threads)

    seconds, nearest = min(measured, key=distance)
    speed = nearest.step_flops / max(seconds - _STEP_SECONDS, seconds / 10)
    return _STEP_SECONDS + step_flops / max(speed, 1.0), "other designs"


def _select_comparable(
    device: str, precision: str, tuned_modes: list[TunedMode]
) -> list[TunedMode]:
    """Select the modes that were measured on the same kind of device and in the same precision."""
    processor = processor_name()
    return [
        each
        for each in tuned_modes
        if device == "auto" or (each.device == processor) == (device == "cpu")
        if each.precision in _precisions(precision, is_gpu=each.device != processor)
    ]


def _precisions(requested: str, *, is_gpu: bool) -> tuple[str, ...]:
    """Return the possible precisions of a run; with "auto", a processor uses only float32."""
    if requested == "fastest" or (requested == "auto" and is_gpu):
        return ("fp32", "bf16")
    return ("fp32",) if requested == "auto" else (requested,)


def _log_ratio(one: int, other: int) -> float:
    """Return the absolute logarithm of the ratio of two numbers of operations."""
    return abs(math.log(max(1, one) / max(1, other)))


def train_count(request: RunRequest, info: DatasetInfo) -> int:
    """Return the number of training pictures, to within rounding."""
    validation = request.validation
    if validation and info.validation_count:
        validation = info.validation_count
    elif validation < 1:
        validation *= info.train_count
    count = max(0, info.train_count - round(validation))
    return count if request.train_limit is None else min(count, request.train_limit)

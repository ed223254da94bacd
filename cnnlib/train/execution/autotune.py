"""Autotuning: the execution mode of a run is requested, continued, cached or measured."""

from __future__ import annotations

import copy
import platform
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from time import perf_counter, thread_time
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from cnnlib.design.channels_last import breaks_channels_last
from cnnlib.errors import RecipeError
from cnnlib.nets.training_form import training_form
from cnnlib.records.events import Phase
from cnnlib.train.execution.autotune_cache import TunedMode, TuningCache, cache_key, design_key
from cnnlib.train.execution.host import FreeCores
from cnnlib.train.execution.machine import device_name, wait_for
from cnnlib.train.execution.mode import (
    ExecutionMode,
    candidates,
    parse_requested_mode,
)
from cnnlib.train.failures import is_out_of_memory
from cnnlib.train.optimizers import build_optimizer
from cnnlib.units import plural

if TYPE_CHECKING:
    from cnnlib.design.cost import Cost
    from cnnlib.nets.model import Network
    from cnnlib.records.recipe import Recipe
    from cnnlib.records.run import RunRequest

_MIN_SECONDS_TO_COMPILE = 600.0
_COMPILING = Phase("starting", "compiling the network (can take a minute)")


@dataclass(frozen=True)
class Trial:
    """The input of the autotuner.

    Args:
        images, labels: One batch on the device.
        threads: The most threads that may be used.
        steps: Number of steps of the run; compiling pays only for long runs.
        fixed: Name of the mode that a continuation keeps; None leaves the mode open.
        is_skipped: Measure nothing; the likely fastest mode is taken where none is in the cache.
    """

    request: RunRequest
    net: Network
    images: Tensor
    labels: Tensor
    cost: Cost
    threads: int
    steps: int
    fixed: str | None = None
    is_skipped: bool = False

    @property
    def key(self) -> str:
        """The cache key of everything that the tuned mode depends on."""
        return cache_key(
            design=design_key(self.request.spec),
            batch_size=len(self.images),
            device=device_name(self.images.device),
            threads=self.threads,
            compile=self.request.compile,
            mode=self.fixed or self.request.mode,
            precision=self.request.precision,
            torch=torch.__version__,
            python=platform.python_version(),
        )

    @property
    def breaks_channels_last(self) -> bool:
        """Whether channels-last modes are excluded."""
        leaves = (row.layer for row in self.cost.layers)
        return self.images.device.type == "cpu" and breaks_channels_last(leaves)


def tune_mode(trial: Trial, cache: TuningCache) -> Generator[Phase, None, TunedMode]:
    """Select the execution mode of a run; return it with its measured speed.

    Raises:
        RecipeError: The requested mode does not exist, or does not work on this machine.
    """
    requested = trial.fixed or (trial.request.mode if trial.request.mode != "auto" else None)
    cached = cache.read(trial.key)
    if requested:
        if trial.fixed:
            mode, reason = ExecutionMode.from_name(requested), "the same as in the original run"
        else:
            mode = parse_requested_mode(requested, trial.request.precision)
            if mode.channels_last and trial.breaks_channels_last:
                raise RecipeError(
                    f"mode={requested!r} stores pictures channels last. With the strided 1x1 "
                    "convolutions of fewer than 8 channels of this design, torch may corrupt "
                    "memory then. Choose a mode with nchw, or auto."
                )
            is_shared = bool(trial.request.group)
            reason = "the same in all runs of its group" if is_shared else "chosen by you"
        if mode.compiled:
            yield _COMPILING
        if cached is None:
            tuned = _tuned_mode(trial, mode, _measure_requested(trial, mode), reason)
            cached = cache.store(trial.key, replace(tuned, is_given=True))
        return replace(cached, reason=reason)
    if cached is not None and (trial.is_skipped or not cached.was_disturbed):
        if ExecutionMode.from_name(cached.mode).compiled:
            yield _COMPILING
        return cached
    device = trial.images.device
    has_maps = bool(trial.request.spec.channels) and not trial.breaks_channels_last
    modes = candidates(device, trial.threads, has_maps, trial.request.precision)
    if trial.is_skipped:
        return _tuned_mode(trial, modes[0], {}, "the likely fastest; the trial was skipped")
    cores = FreeCores()
    seconds = _measure_modes(trial, modes)
    free = cores.count() if device.type == "cpu" else None
    best = fastest(seconds)
    reason = f"the fastest of {len(seconds)} measured modes" if len(seconds) > 1 else "the default"
    if _compiling_may_pay(trial, seconds[best]):
        yield _COMPILING
        best, reason = _compare_compiled(trial, best, seconds)
    tuned = replace(_tuned_mode(trial, best, seconds, reason), free_cores=free)
    if free is not None and tuned.was_disturbed:
        reason += f", beside other programs ({free:.1f} of {plural(trial.threads, 'core')} free)"
    return cache.store(trial.key, replace(tuned, reason=reason))


def _measure_modes(trial: Trial, modes: list[ExecutionMode]) -> dict[ExecutionMode, float]:
    """Return the seconds of a step in each mode; compiling and GPU set-up are not limited."""
    warm_up = trial.images.device.type != "cpu" or any(mode.compiled for mode in modes)
    recipe = trial.request.recipe
    return measure(modes, trial.net, recipe, trial.images, trial.labels, warm_up=warm_up)


def _measure_requested(trial: Trial, mode: ExecutionMode) -> dict[ExecutionMode, float]:
    """Return the seconds of a step in a requested mode.

    Raises:
        RecipeError: The mode compiles the network, and that failed.
    """
    try:
        return _measure_modes(trial, [mode])
    except RuntimeError as error:  # what torch.compile raises derives from it
        if not mode.compiled or is_out_of_memory(error):
            raise
        raise RecipeError(
            f"mode={mode.name} compiles the network, but this failed on this machine: "
            f"{_first_line(error)}. Choose a mode without -compiled."
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _compare_compiled(
    trial: Trial, eager: ExecutionMode, seconds: dict[ExecutionMode, float]
) -> tuple[ExecutionMode, str]:
    """Return the faster of a mode and its compiled form, and the reason; extends ``seconds``."""
    compiled = replace(eager, compiled=True)
    try:
        seconds |= _measure_modes(trial, [compiled])
    except RuntimeError as error:  # what torch.compile raises derives from it
        return eager, f"compiling failed: {_first_line(error)}"
    best = fastest({eager: seconds[eager], compiled: seconds[compiled]})
    return best, "faster than without compiling" if best.compiled else "faster than compiled"


def _compiling_may_pay(trial: Trial, seconds_per_step: float) -> bool:
    """Return whether compiling is requested, or the run is long and a compiler is available."""
    if trial.request.compile:
        return True
    is_long = seconds_per_step * trial.steps > _MIN_SECONDS_TO_COMPILE
    return is_long and _has_compiler(trial.images.device)


def _has_compiler(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (7, 0)
    return any(shutil.which(name) for name in ("g++", "clang++", "cl"))


def _tuned_mode(
    trial: Trial, mode: ExecutionMode, seconds: dict[ExecutionMode, float], reason: str
) -> TunedMode:
    return TunedMode(
        mode=mode.name,
        reason=reason,
        seconds_per_step={measured.name: value for measured, value in seconds.items()},
        batch_size=len(trial.images),
        step_flops=trial.cost.training_step_flops,
        design=design_key(trial.request.spec),
        device=device_name(trial.images.device),
        allowed_threads=trial.threads,
    )


TRIAL_SECONDS = 0.3
_MAX_ROUNDS = 8
# A later mode in the list of candidates has to be faster than an earlier one by this factor.
_SPEEDUP_MARGIN = 1.05


def measure(
    modes: Sequence[ExecutionMode],
    net: Network,
    recipe: Recipe,
    images: Tensor,
    labels: Tensor,
    limit_seconds: float = TRIAL_SECONDS,
    warm_up: bool = False,
) -> dict[ExecutionMode, float]:
    """Return the seconds per training step in each mode: the minimum of all steps that fit.

    Modes alternate, each on its own copy of the net. The first step of a mode, which allocates
    memory and builds kernels, counts only if there is no time for another one. Each number of
    threads is tried once even without time, since several are very slow beside other programs;
    other modes without any step are missing. If every mode has one processor thread, the CPU time
    of this thread is measured, which other processes disturb less than the wall-clock time.

    Args:
        warm_up: Exclude first steps from the limit, as compiling takes longer.
    """
    end = perf_counter() + limit_seconds
    threads = torch.get_num_threads()
    is_single_threaded = images.device.type == "cpu" and all(mode.threads == 1 for mode in modes)
    clock = thread_time if is_single_threaded else perf_counter
    first: dict[ExecutionMode, float] = {}
    best: dict[ExecutionMode, float] = {}
    steps: dict[ExecutionMode, Callable[[], None]] = {}
    try:
        tried: set[int] = set()
        for mode in sorted(modes, key=lambda mode: _rank_among_its_threads(mode, modes)):
            if warm_up or perf_counter() < end or mode.threads not in tried:
                tried.add(mode.threads)
                torch.set_num_threads(mode.threads)
                steps[mode] = _build_step(mode, net, recipe, images, labels)
                first[mode] = _time_step(steps[mode], images.device, clock)
        end = perf_counter() + limit_seconds if warm_up else end
        for mode, step in list(steps.items()) * _MAX_ROUNDS:
            if perf_counter() >= end:
                break
            torch.set_num_threads(mode.threads)
            best[mode] = min(_time_step(step, images.device, clock), best.get(mode, inf))
    finally:
        torch.set_num_threads(threads)
    return {mode: best.get(mode, first[mode]) for mode in modes if mode in first}


def _rank_among_its_threads(mode: ExecutionMode, modes: Sequence[ExecutionMode]) -> int:
    """Return the position of a mode among those with its number of threads."""
    return [each for each in modes if each.threads == mode.threads].index(mode)


def fastest(seconds: Mapping[ExecutionMode, float]) -> ExecutionMode:
    """Return the first mode, unless a later one is clearly faster."""
    best, *others = seconds
    for mode in others:
        if seconds[mode] * _SPEEDUP_MARGIN < seconds[best]:
            best = mode
    return best


def _build_step(
    mode: ExecutionMode, net: Network, recipe: Recipe, images: Tensor, labels: Tensor
) -> Callable[[], None]:
    """Return a function that does one training step on a copy of the net and of the batch."""
    net = copy.deepcopy(net)
    mode.place(net, images.device)
    net.train()
    images = images.clone(memory_format=mode.memory_format)
    optimizer = build_optimizer(net, recipe)
    eager_forward = training_form(net)
    forward = torch.compile(eager_forward) if mode.compiled else eager_forward

    def step() -> None:
        with mode.autocast(images.device):
            loss = cross_entropy(forward(images), labels)
        loss.backward()
        optimizer.step(optimizer.gradients())

    return step


def _time_step(step: Callable[[], None], device: torch.device, clock: Callable[[], float]) -> float:
    """Return the seconds of one step."""
    start = clock()
    step()
    wait_for(device)
    return clock() - start

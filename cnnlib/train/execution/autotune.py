"""How a run comes to its execution mode: asked for, continued, remembered, or tried."""

from __future__ import annotations

import copy
import platform
import shutil
from dataclasses import dataclass, replace
from math import inf
from time import perf_counter, thread_time
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from cnnlib.errors import RecipeError
from cnnlib.nets.training_form import training_form
from cnnlib.records.events import Phase
from cnnlib.train.execution.autotune_cache import ModeCache, ModeChoice, choice_key, design_key
from cnnlib.train.execution.machine import device_name, wait_for
from cnnlib.train.execution.mode import ExecutionMode, asked_mode, candidates
from cnnlib.train.failures import is_out_of_memory
from cnnlib.train.optimizers import build_optimizer

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from cnnlib.design.cost import Cost
    from cnnlib.nets.model import Network
    from cnnlib.records.recipe import Recipe
    from cnnlib.records.run import RunRequest

_COMPILE_FROM_SECONDS = 600.0
_COMPILING = Phase("starting", "compiling the network, which can take a minute")


@dataclass(frozen=True)
class Trial:
    """What a choice is made for.

    Args:
        images, labels: One batch on the device.
        threads: The most that may be used.
        steps: That the run will take, to see whether compiling can pay.
        fixed: A mode that a continuation has to keep; None leaves the choice open.
    """

    request: RunRequest
    net: Network
    images: Tensor
    labels: Tensor
    cost: Cost
    threads: int
    steps: int
    fixed: str | None = None

    @property
    def key(self) -> str:
        """What a remembered choice must agree in."""
        return choice_key(
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


def choose_mode(trial: Trial, cache: ModeCache) -> Generator[Phase, None, ModeChoice]:
    """Settle the execution mode; returns the `ModeChoice`.

    Raises:
        RecipeError: The request names a mode that does not exist, or does not work on this machine.
    """
    asked = trial.fixed or (trial.request.mode if trial.request.mode != "auto" else None)
    remembered = cache.read(trial.key)
    if asked:
        if trial.fixed:
            only, reason = ExecutionMode.from_name(asked), "as the run that it continues"
        else:
            only, reason = asked_mode(asked, trial.request.precision), "asked for"
        if only.compiled:
            yield _COMPILING
        if remembered is None:
            timed = _choice(trial, only, _seconds_of_only(trial, only), reason)
            remembered = cache.keep(trial.key, timed)
        return replace(remembered, reason=reason)
    if remembered is not None:
        if ExecutionMode.from_name(remembered.mode).compiled:
            yield _COMPILING
        return remembered
    device = trial.images.device
    has_maps = bool(trial.request.spec.channels)
    seconds = _seconds(trial, candidates(device, trial.threads, has_maps, trial.request.precision))
    chosen = fastest(seconds)
    reason = f"the fastest of {len(seconds)} that were tried" if len(seconds) > 1 else "the default"
    if _compiling_may_pay(trial, seconds[chosen]):
        yield _COMPILING
        chosen, reason = _compiled_or_not(trial, chosen, seconds)
    return cache.keep(trial.key, _choice(trial, chosen, seconds, reason))


def _seconds(trial: Trial, modes: list[ExecutionMode]) -> dict[ExecutionMode, float]:
    """Of a step in each mode; compiling, or loading what a GPU needs, is not part of the limit."""
    is_slow = trial.images.device.type != "cpu" or any(mode.compiled for mode in modes)
    recipe = trial.request.recipe
    return measure(modes, trial.net, recipe, trial.images, trial.labels, warm_up=is_slow)


def _seconds_of_only(trial: Trial, mode: ExecutionMode) -> dict[ExecutionMode, float]:
    """Of a step in a mode that was asked for, and that may ask for a compiler."""
    try:
        return _seconds(trial, [mode])
    except RuntimeError as error:  # what torch.compile raises derives from it
        if not mode.compiled or is_out_of_memory(error):
            raise
        raise RecipeError(
            f"mode={mode.name} compiles the network, and that failed here: "
            f"{_first_line(error)}. Choose a mode without -compiled."
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


def _compiled_or_not(
    trial: Trial, eager: ExecutionMode, seconds: dict[ExecutionMode, float]
) -> tuple[ExecutionMode, str]:
    """The better of a mode and its compiled form, and why; adds to what was measured."""
    compiled = replace(eager, compiled=True)
    try:
        seconds |= _seconds(trial, [compiled])
    except RuntimeError as error:  # what torch.compile raises derives from it
        return eager, f"compiling failed: {_first_line(error)}"
    chosen = fastest({eager: seconds[eager], compiled: seconds[compiled]})
    return chosen, "faster than without compiling" if chosen.compiled else "faster than compiled"


def _compiling_may_pay(trial: Trial, seconds_per_step: float) -> bool:
    """Compiling was asked for, or the run is long and a compiler is there."""
    if trial.request.compile:
        return True
    is_long = seconds_per_step * trial.steps > _COMPILE_FROM_SECONDS
    return is_long and _compiler_is_there(trial.images.device)


def _compiler_is_there(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (7, 0)
    return any(shutil.which(name) for name in ("g++", "clang++", "cl"))


def _choice(
    trial: Trial, mode: ExecutionMode, seconds: dict[ExecutionMode, float], reason: str
) -> ModeChoice:
    return ModeChoice(
        mode=mode.name,
        reason=reason,
        seconds_per_step={tried.name: value for tried, value in seconds.items()},
        batch_size=len(trial.images),
        step_flops=trial.cost.training_step_flops,
        design=design_key(trial.request.spec),
        device=device_name(trial.images.device),
        allowed_threads=trial.threads,
    )


TRIAL_SECONDS = 0.3
_MOST_ROUNDS = 8
# A mode further down the list of candidates has to be this much faster than one further up.
_CLEARLY_FASTER = 1.05


def measure(
    modes: Sequence[ExecutionMode],
    net: Network,
    recipe: Recipe,
    images: Tensor,
    labels: Tensor,
    limit_seconds: float = TRIAL_SECONDS,
    warm_up: bool = False,
) -> dict[ExecutionMode, float]:
    """Seconds per training step in each mode, alternated; the best of as many steps as fit.

    Everything happens on throwaway copies of the net. The first step of a mode, in which memory is
    found and kernels are made, counts only if there is time for no other. A mode whose turn did
    not come is missing. Where every mode has one processor thread, its own time is taken, which
    other programs disturb less than the time on the wall.

    Args:
        warm_up: The time of first steps is not part of the limit: compiling takes longer.
    """
    end = perf_counter() + limit_seconds
    threads = torch.get_num_threads()
    alone = images.device.type == "cpu" and all(mode.threads == 1 for mode in modes)
    clock = thread_time if alone else perf_counter
    first: dict[ExecutionMode, float] = {}
    best: dict[ExecutionMode, float] = {}
    steps: dict[ExecutionMode, Callable[[], None]] = {}
    try:
        for mode in modes:
            if warm_up or perf_counter() < end or not first:
                torch.set_num_threads(mode.threads)
                steps[mode] = _step_on_a_copy(mode, net, recipe, images, labels)
                first[mode] = _timed_step(steps[mode], images.device, clock)
        end = perf_counter() + limit_seconds if warm_up else end
        for mode, step in list(steps.items()) * _MOST_ROUNDS:
            if perf_counter() >= end:
                break
            torch.set_num_threads(mode.threads)
            best[mode] = min(_timed_step(step, images.device, clock), best.get(mode, inf))
    finally:
        torch.set_num_threads(threads)
    return first | best


def fastest(seconds: Mapping[ExecutionMode, float]) -> ExecutionMode:
    """The first mode of the list, unless a later one is clearly faster."""
    chosen, *others = seconds
    for mode in others:
        if seconds[mode] * _CLEARLY_FASTER < seconds[chosen]:
            chosen = mode
    return chosen


def _step_on_a_copy(
    mode: ExecutionMode, net: Network, recipe: Recipe, images: Tensor, labels: Tensor
) -> Callable[[], None]:
    """One training step as the loop does it, on a copy of the net and of the batch."""
    net = copy.deepcopy(net)
    mode.place(net, images.device)
    net.train()
    images = images.clone(memory_format=mode.memory_format)
    optimizer = build_optimizer(net, recipe)
    formed = training_form(net)
    forward = torch.compile(formed) if mode.compiled else formed

    def step() -> None:
        with mode.autocast(images.device):
            loss = cross_entropy(forward(images), labels)
        loss.backward()
        optimizer.step(optimizer.gradients())

    return step


def _timed_step(
    step: Callable[[], None], device: torch.device, clock: Callable[[], float]
) -> float:
    start = clock()
    step()
    wait_for(device)
    return clock() - start

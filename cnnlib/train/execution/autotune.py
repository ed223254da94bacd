"""How a run comes to its execution mode: asked for, continued, remembered, or tried."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from cnnlib.design.cost import Cost
from cnnlib.errors import RecipeError
from cnnlib.nets.model import Network
from cnnlib.records.events import Phase
from cnnlib.records.run import RunRequest
from cnnlib.train.execution.autotune_cache import Choice, ChoiceShelf, choice_key, design_key
from cnnlib.train.execution.machine import device_name
from cnnlib.train.execution.mode import ExecutionMode, asked_mode, candidates
from cnnlib.train.failures import is_out_of_memory
from cnnlib.train.trial import fastest, measure

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


def choose(trial: Trial, shelf: ChoiceShelf) -> Iterator[Phase]:
    """Settle the execution mode; returns the `Choice`.

    Raises:
        RecipeError: The request names a mode that does not exist, or does not work on this machine.
    """
    asked = trial.fixed or (trial.request.mode if trial.request.mode != "auto" else None)
    remembered = shelf.read(trial.key)
    if asked:
        if trial.fixed:
            only, reason = ExecutionMode.from_name(asked), "as the run that it continues"
        else:
            only, reason = asked_mode(asked, trial.request.precision), "asked for"
        if only.compiled:
            yield _COMPILING
        if remembered is None:
            timed = _choice(trial, only, _seconds_of_only(trial, only), reason)
            remembered = shelf.keep(trial.key, timed)
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
    return shelf.keep(trial.key, _choice(trial, chosen, seconds, reason))


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
) -> Choice:
    return Choice(
        mode=mode.name,
        reason=reason,
        seconds_per_step={tried.name: value for tried, value in seconds.items()},
        batch_size=len(trial.images),
        step_flops=trial.cost.training_step_flops,
        design=design_key(trial.request.spec),
        device=device_name(trial.images.device),
        allowed_threads=trial.threads,
    )

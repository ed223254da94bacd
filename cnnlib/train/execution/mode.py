"""Execution modes: how a training step is run, apart from what it computes."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn

from cnnlib.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Generator

Precision = Literal["fp32", "bf16"]
_NAME = re.compile(r"t([1-9]\d{0,2})-(nchw|nhwc)-(fp32|bf16)(-compiled)?")


@dataclass(frozen=True)
class ExecutionMode:
    """How steps run; equal modes on equal machines give equal bits.

    Args:
        threads: Processor threads that torch uses for one operation.
        channels_last: Images and weights lie in memory as N x H x W x C.
        precision: "bf16" runs convolutions and matrix products in bfloat16 (autocast); weights stay
            float32.
        compiled: The network goes through ``torch.compile``.
    """

    threads: int = 1
    channels_last: bool = False
    precision: Precision = "fp32"
    compiled: bool = False

    @property
    def name(self) -> str:
        """``t2-nhwc-fp32``: threads, memory format, precision, and ``-compiled``."""
        layout = "nhwc" if self.channels_last else "nchw"
        end = "-compiled" if self.compiled else ""
        return f"t{self.threads}-{layout}-{self.precision}{end}"

    @classmethod
    def from_name(cls, name: str) -> ExecutionMode:
        """The inverse of ``name``.

        Raises:
            RecipeError: It does not have that form.
        """
        match = _NAME.fullmatch(name)
        if not match:
            raise RecipeError(
                f"mode={name!r} is not an execution mode. Write threads, memory format and "
                "precision, as in t1-nhwc-fp32 or t2-nchw-bf16-compiled; or auto."
            )
        threads, layout, precision, compiled = match.groups()
        kind: Precision = "bf16" if precision == "bf16" else "fp32"
        return cls(int(threads), layout == "nhwc", kind, bool(compiled))

    def to_dict(self) -> dict[str, Any]:
        """The mode and its name as plain JSON values."""
        return asdict(self) | {"name": self.name}

    @property
    def memory_format(self) -> torch.memory_format:
        """What ``Tensor.to(memory_format=...)`` takes."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def autocast(self, device: torch.device) -> Any:
        """The context in which the forward pass runs."""
        if self.precision == "bf16":
            return torch.autocast(device.type, dtype=torch.bfloat16)
        return nullcontext()

    def place(self, net: nn.Module, device: torch.device) -> None:
        """Move a net to a device and into this mode's memory format, in place."""
        net.to(device=device, memory_format=self.memory_format)  # type: ignore[call-overload]


def pick_device(wanted: str) -> torch.device:
    """The device that a request names; "auto" is CUDA, else MPS, else the CPU.

    Raises:
        RecipeError: This machine does not have it.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": _mps_is_there()}
    if wanted == "auto":
        wanted = next(name for name in ("cuda", "mps", "cpu") if there[name])
    if not there[wanted]:
        known = ", ".join(name for name, is_there in there.items() if is_there)
        raise RecipeError(
            f"device={wanted!r} was asked for, but this machine has none that torch can use. "
            f"Choose one of: {known}, or auto."
        )
    return torch.device(wanted)


def _mps_is_there() -> bool:
    return hasattr(torch.backends, "mps") and torch.backends.mps.is_available()


@contextmanager
def kept_threads() -> Generator[None]:
    """Whatever number of threads is set inside, the former number is restored after."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def cores() -> int:
    """Processor cores that this process is allowed to use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_cores() -> int:
    """Processor cores that training may use: all that this process is allowed, less one for the
    pages, and at least one. ``OMP_NUM_THREADS`` lowers it.
    """
    limit = os.environ.get("OMP_NUM_THREADS", "")
    free = max(1, cores() - 1)
    return min(free, int(limit)) if limit.isdigit() and int(limit) > 0 else free


def asked_mode(name: str, precision: str = "auto") -> ExecutionMode:
    """The mode that somebody names for a new run. (One that goes on keeps its own, whatever it is.)

    Args:
        precision: What was asked for beside the mode.

    Raises:
        RecipeError: There is no such mode, it has another precision, or it has more threads than
            there are cores: they would wait for each other, and everybody else for them.
    """
    mode = ExecutionMode.from_name(name)
    if precision not in ("auto", mode.precision):
        raise RecipeError(
            f"mode={name!r} computes in {mode.precision}, and precision={precision!r} was asked "
            "for too. Name one of them, or let them agree."
        )
    if mode.threads > cores():
        raise RecipeError(
            f"mode={name!r} asks for {mode.threads} threads, and there are {cores()} "
            f"processor cores. Ask for t{cores()} or fewer, or for auto."
        )
    return mode


def candidates(
    device: torch.device, threads: int, has_maps: bool, precision: str = "auto"
) -> list[ExecutionMode]:
    """The modes that are worth a try on a device, the most likely winner first.

    Args:
        threads: The most that may be used.
        has_maps: The network has convolutions, so that the memory format matters.
        precision: As `RunRequest` has it. A processor tries bfloat16 only where it is asked for:
            there a student compares with what others got in float32.
    """
    layouts = (True, False) if has_maps and device.type != "mps" else (False,)
    counts = _thread_counts(threads) if device.type == "cpu" else [threads]
    lower = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    precisions: tuple[Precision, ...] = ("bf16", "fp32") if lower else ("fp32",)
    if precision != "auto":
        precisions = ("bf16",) if precision == "bf16" else ("fp32",)
    return [
        ExecutionMode(count, channels_last, each)
        for each in precisions
        for count in counts
        for channels_last in layouts
    ]


def _thread_counts(most: int) -> list[int]:
    """The most, then halves of it: small networks lose more by waiting than they gain."""
    counts = [most]
    while counts[-1] > 1:
        counts.append(counts[-1] // 2)
    return counts

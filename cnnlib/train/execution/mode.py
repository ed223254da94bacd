"""Execution modes: threads, memory format, precision and compilation of a training step."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import nn

from cnnlib.errors import RecipeError
from cnnlib.runs.capacity import cores
from cnnlib.units import plural

Precision = Literal["fp32", "bf16"]
_NAME = re.compile(r"t([1-9]\d{0,2})-(nchw|nhwc)-(fp32|bf16)(-compiled)?")


@dataclass(frozen=True)
class ExecutionMode:
    """The way a training step is executed; equal modes on equal machines give equal bits.

    Args:
        threads: Processor threads that torch uses for one operation.
        channels_last: Images and weights are stored as N x H x W x C.
        precision: "bf16" runs convolutions and matrix products in bfloat16 (autocast); weights stay
            float32.
        compiled: The network is compiled by ``torch.compile``.
    """

    threads: int = 1
    channels_last: bool = False
    precision: Precision = "fp32"
    compiled: bool = False

    @property
    def name(self) -> str:
        """The mode as text: threads, memory format, precision, ``-compiled`` (``t2-nhwc-fp32``)."""
        layout = "nhwc" if self.channels_last else "nchw"
        end = "-compiled" if self.compiled else ""
        return f"t{self.threads}-{layout}-{self.precision}{end}"

    @classmethod
    def from_name(cls, name: str) -> ExecutionMode:
        """Parse a mode from its ``name``.

        Raises:
            RecipeError: The name has another form.
        """
        match = _NAME.fullmatch(name)
        if not match:
            raise RecipeError(
                f"mode={name!r} is not an execution mode. Write threads, memory format and "
                "precision, such as t1-nhwc-fp32 or t2-nchw-bf16-compiled, or auto."
            )
        threads, layout, precision, compiled = match.groups()
        parsed_precision: Precision = "bf16" if precision == "bf16" else "fp32"
        return cls(int(threads), layout == "nhwc", parsed_precision, bool(compiled))

    def to_dict(self) -> dict[str, Any]:
        """Return the mode and its name as plain JSON values."""
        return asdict(self) | {"name": self.name}

    @property
    def memory_format(self) -> torch.memory_format:
        """The value for ``Tensor.to(memory_format=...)``."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def autocast(self, device: torch.device) -> Any:
        """Return the context manager for the forward pass."""
        if self.precision == "bf16":
            return torch.autocast(device.type, dtype=torch.bfloat16)
        return nullcontext()

    def place(self, net: nn.Module, device: torch.device) -> None:
        """Move a net to a device and into this mode's memory format, in place."""
        net.to(device=device, memory_format=self.memory_format)  # type: ignore[call-overload]


def pick_device(name: str) -> torch.device:
    """Return the device of a request; "auto" is CUDA, else MPS, else the CPU.

    Raises:
        RecipeError: This machine does not have the device.
    """
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": _has_mps()}
    if name == "auto":
        name = next(each for each in ("cuda", "mps", "cpu") if available[each])
    if not available[name]:
        known = ", ".join(each for each, is_available in available.items() if is_available)
        raise RecipeError(
            f"device={name!r} is not available on this machine. Choose one of: {known}, or auto."
        )
    return torch.device(name)


def _has_mps() -> bool:
    return hasattr(torch.backends, "mps") and torch.backends.mps.is_available()


@contextmanager
def restored_thread_count() -> Generator[None]:
    """Restore torch's number of threads on exit."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def parse_requested_mode(name: str, precision: str = "auto") -> ExecutionMode:
    """Parse and check the requested mode of a new run. (A continued run keeps its own mode.)

    Args:
        precision: The requested precision, which the mode must have; "auto", "fastest": any.

    Raises:
        RecipeError: The mode does not exist, has another precision, or has more threads than
            there are cores, which would slow down all processes.
    """
    mode = ExecutionMode.from_name(name)
    if precision not in ("auto", "fastest", mode.precision):
        raise RecipeError(
            f"mode={name!r} computes in {mode.precision}, but precision={precision!r} was "
            "chosen too. Choose only one of them, or the same precision in both."
        )
    if mode.threads > cores():
        raise RecipeError(
            f"mode={name!r} needs {plural(mode.threads, 'thread')}, but this machine has "
            f"{plural(cores(), 'processor core')}. Choose t{cores()} or fewer threads, or auto."
        )
    return mode


def candidates(
    device: torch.device, threads: int, has_maps: bool, precision: str = "auto"
) -> list[ExecutionMode]:
    """Return the modes to measure on a device, the most likely fastest one first.

    Args:
        threads: The most threads that may be used.
        has_maps: The network has convolutions, so that the memory format matters.
        precision: The precision of the `RunRequest`. On a processor "auto" excludes bfloat16, so
            that results stay comparable with those of others in float32; "fastest" has both.
    """
    layouts = (True, False) if has_maps and device.type != "mps" else (False,)
    counts = _thread_counts(threads) if device.type == "cpu" else [threads]
    has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    precisions: tuple[Precision, ...] = ("bf16", "fp32") if has_bf16 else ("fp32",)
    if precision == "fastest":
        precisions = ("fp32", "bf16")
    elif precision != "auto":
        precisions = ("bf16",) if precision == "bf16" else ("fp32",)
    return [
        ExecutionMode(count, channels_last, each)
        for each in precisions
        for count in counts
        for channels_last in layouts
    ]


def _thread_counts(maximum: int) -> list[int]:
    """Return the maximum and its halves down to 1: small networks are faster with few threads."""
    counts = [maximum]
    while counts[-1] > 1:
        counts.append(counts[-1] // 2)
    return counts

"""How much memory a run really took, to set beside its forecast."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import torch

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # as proc(5) has it: set the peak to what is resident now


class PeakMemory:
    """Measures from where it is made; what the process held before does not count.

    CUDA knows what it gave away. On Linux the process's resident memory is read; before that,
    memory that earlier runs left with the allocator is returned, so that it counts again when this
    run takes it. Elsewhere nothing is known.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self._before = torch.cuda.memory_allocated(device)
        elif _can_measure():
            _return_free_memory()
            _RESET.write_text(_RESET_PEAK)
            self._before = _status_bytes("VmRSS")

    def bytes(self) -> int:
        """The most that was held at once so far, beyond what was held before; 0 where unknown."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) - self._before
        if _can_measure():
            return max(0, _status_bytes("VmHWM") - self._before)
        return 0


def _can_measure() -> bool:
    return sys.platform == "linux" and _STATUS.exists() and _RESET.exists()


def _return_free_memory() -> None:
    """Of glibc; other C libraries return it themselves."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _status_bytes(field: str) -> int:
    """A line such as ``VmHWM:  123 kB``."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0

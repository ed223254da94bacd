"""What a run does with the process's memory: it keeps it between steps, and tells how much."""

from __future__ import annotations

import ctypes
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Generator

# mallopt(3), with what it takes here: no buffer gets a mapping of its own, none is returned, and
# the heap grows in steps of 256 MB.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_KEEP_MEMORY = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: 2**31 - 1, _M_TOP_PAD: 2**28}
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # as proc(5) has it: set the peak to what is resident now


@contextmanager
def kept_memory() -> Generator[None]:
    """Inside, glibc's allocator keeps what a step frees for the next one; after, it is returned.

    Otherwise large buffers go back to the system after every step and are cleared when they come
    again, which costs a quarter of the time of some networks. What is set stays set. What torch
    keeps of a GPU's memory is returned too: there are others on it.
    """
    library = _glibc()
    if library is not None:
        for parameter, value in _KEEP_MEMORY.items():
            library.mallopt(parameter, value)
    try:
        yield
    finally:
        if library is not None:
            library.malloc_trim(0)
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
        if torch.backends.mps.is_available():
            torch.mps.empty_cache()


class PeakMemory:
    """Measures from where it is made; what the process held before does not count.

    CUDA knows what it gave away. On Linux the process's resident memory is read; before that,
    memory that earlier runs left with the allocator is returned, so that it counts again when this
    run takes it. Elsewhere, and where the system forbids that, nothing is known.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self._before = torch.cuda.memory_allocated(device)
            return
        if (library := _glibc()) is not None:
            library.malloc_trim(0)
        self._is_known = _reset_peak()
        if self._is_known:
            self._before, self._libraries = _status_bytes("VmRSS"), _status_bytes("RssFile")

    def bytes(self) -> int:
        """The most that was held at once so far, beyond what was held before; 0 where unknown."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) - self._before
        if not self._is_known:
            return 0
        loaded = _status_bytes("RssFile") - self._libraries  # code that was used first now
        return max(0, _status_bytes("VmHWM") - self._before - loaded)


def _reset_peak() -> bool:
    """Let the peak be what is resident now; False where the system has no such thing."""
    if sys.platform != "linux":
        return False
    try:
        _RESET.write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def _glibc() -> ctypes.CDLL | None:
    """The C library, if it is the one with these functions."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None


def _status_bytes(field: str) -> int:
    """A line such as ``VmHWM:  123 kB``."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0

"""Memory of a run: the allocator's settings during training, and the peak memory."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import torch

# Parameters of mallopt(3): buffers get no mappings of their own, freed memory is not returned, and
# the heap grows in steps of 256 MB.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_MALLOC_OPTIONS = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: 2**31 - 1, _M_TOP_PAD: 2**28}
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # see proc(5): resets the peak to the current resident size


@contextmanager
def retained_memory() -> Generator[None]:
    """Make glibc's allocator retain freed memory for the next step; return it on exit.

    Otherwise large buffers are returned to the system after every step and zeroed when they are
    allocated again, which costs a quarter of the time of some networks. The allocator's settings
    stay. Torch's cached GPU memory is released on exit too, for other processes on the GPU.
    """
    library = _glibc()
    if library is not None:
        for parameter, value in _MALLOC_OPTIONS.items():
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
    """Measures the peak memory since its creation, without the memory in use before.

    On CUDA torch's counters are read, on Linux the process's resident memory. Before that, memory
    that earlier runs left in the allocator is returned to the system, so that it counts again when
    this run uses it. On other systems, and without the permission, the peak is unknown.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            self._baseline = torch.cuda.memory_allocated(device)
            return
        if (library := _glibc()) is not None:
            library.malloc_trim(0)
        self._is_known = _reset_peak()
        if self._is_known:
            self._baseline, self._code_baseline = _status_bytes("VmRSS"), _status_bytes("RssFile")

    def bytes(self) -> int:
        """Return the peak memory so far, beyond the memory in use before; 0 if unknown."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device) - self._baseline
        if not self._is_known:
            return 0
        loaded = _status_bytes("RssFile") - self._code_baseline  # code that was loaded since
        return max(0, _status_bytes("VmHWM") - self._baseline - loaded)


def _reset_peak() -> bool:
    """Reset the peak to the current resident size; return False if the system cannot."""
    if sys.platform != "linux":
        return False
    try:
        _RESET.write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def _glibc() -> ctypes.CDLL | None:
    """Return the C library if it is glibc, else None."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None


def _status_bytes(field: str) -> int:
    """Return a field of /proc/self/status such as ``VmHWM:  123 kB``, in bytes; 0 if missing."""
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0

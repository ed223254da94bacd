"""Facts about the host: full disks, the processor's name and load. (Does not import torch.)"""

from __future__ import annotations

import errno
import os
import platform
from pathlib import Path
from time import perf_counter, process_time

_FULL_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT)


def is_full_disk(error: BaseException) -> bool:
    """Return whether an error means that the disk is full or the disk quota is used up."""
    return isinstance(error, OSError) and error.errno in _FULL_DISK_ERRORS


def processor_name() -> str:
    """Return the name of the processor's model."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


class FreeCores:
    """Measures the cores that other processes have left to this one since its creation."""

    def __init__(self) -> None:
        self._start = _idle_and_own_seconds()

    def count(self) -> float | None:
        """Return the mean number of cores, with fractions; None where the system does not say."""
        if self._start is None or (now := _idle_and_own_seconds()) is None:
            return None
        idle, own, elapsed = (b - a for a, b in zip(self._start, now, strict=True))
        return (idle + own) / elapsed if elapsed > 0 else None


def _idle_and_own_seconds() -> tuple[float, float, float] | None:
    """Return the idle time of the usable cores, this process's time, and the clock; on Linux."""
    times = Path("/proc/stat")  # see proc(5): cpu0 user nice system idle iowait ...
    if not times.exists():
        return None
    usable = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    lines = (line.split() for line in times.read_text().splitlines())
    ticks = sum(int(line[4]) + int(line[5]) for line in lines if line[0] in usable)
    return ticks / os.sysconf("SC_CLK_TCK"), process_time(), perf_counter()

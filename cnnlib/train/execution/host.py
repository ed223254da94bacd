"""A disk that is full: an error that ends a run or a job and is no bug of the lab. (No torch.)"""

from __future__ import annotations

import errno
import platform
from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full_disk(error: BaseException) -> bool:
    """There was no room for what was to be written, or one's share of the disk is used up."""
    return isinstance(error, OSError) and error.errno in _FULL


def processor_name() -> str:
    """The processor's model as the system calls it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

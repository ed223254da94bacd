"""Facts about the host: full disks and the processor's name. (Does not import torch.)"""

from __future__ import annotations

import errno
import platform
from pathlib import Path

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

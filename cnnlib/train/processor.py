"""The processor's name, without torch."""

from __future__ import annotations

import platform
from pathlib import Path


def processor_name() -> str:
    """The processor's model as the system calls it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

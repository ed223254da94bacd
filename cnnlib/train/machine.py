"""The machine that a run ran on, as it is recorded with it."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

import torch

from cnnlib.records.run import Machine


def this_machine(device: torch.device, threads: int) -> Machine:
    """Processor or GPU, threads and versions."""
    return Machine(
        processor=device_name(device),
        device=device.type,
        threads=threads,
        versions={
            "cnnlib": version("cnnlib"),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    )


def device_name(device: torch.device) -> str:
    """The model of the GPU, or of the processor."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor_name()


def processor_name() -> str:
    """The processor's model as the system calls it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def wait_for(device: torch.device) -> None:
    """Return when the device has done all that it was asked for; the CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()

"""The machine that a run ran on, as it is recorded with it."""

from __future__ import annotations

import platform
from importlib.metadata import version

import torch

from cnnlib.records.run import Machine
from cnnlib.train.execution.host import processor_name


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
    """The model of the GPU, or of the processor; no two devices of a machine share a name.

    Apple's GPU has no name of its own, but that of the chip that it is a part of.
    """
    match device.type:
        case "cuda":
            return torch.cuda.get_device_name(device)
        case "mps":
            return f"{processor_name()} GPU"
        case _:
            return processor_name()


def wait_for(device: torch.device) -> None:
    """Return when the device has done all that it was asked for; the CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()

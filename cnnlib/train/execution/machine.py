"""The `Machine` record of this machine, and the names of its devices."""

from __future__ import annotations

import platform

import torch

import cnnlib
from cnnlib.records.run import Machine
from cnnlib.train.execution.host import processor_name


def this_machine(device: torch.device, threads: int) -> Machine:
    """Return the record of this machine: processor or GPU, threads and versions."""
    return Machine(
        processor=device_name(device),
        device=device.type,
        threads=threads,
        versions={
            "cnnlib": cnnlib.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    )


def device_name(device: torch.device) -> str:
    """Return the model of the GPU or of the processor, different for each device of a machine.

    Apple's GPU has no name of its own and is named after its chip.
    """
    match device.type:
        case "cuda":
            return torch.cuda.get_device_name(device)
        case "mps":
            return f"{processor_name()} GPU"
        case _:
            return processor_name()


def wait_for(device: torch.device) -> None:
    """Block until the device has finished all submitted work; returns at once on the CPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()

"""Errors that end a run but are no bug of the lab: what they are, as sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.train.execution.host import is_full_disk
from cnnlib.units import format_size

if TYPE_CHECKING:
    from cnnlib.records.run import RunRequest
    from cnnlib.train.session import Session

# What the CPU's allocator, CUDA and MPS, and the libraries on CUDA (cuBLAS, cuDNN) say.
_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "ALLOC_FAILED")


def known_failure(error: Exception, session: Session) -> str | None:
    """A sentence on why the run cannot go on and what to do; None for an error of another kind."""
    if is_full_disk(error):
        return (
            f"The disk that holds {session.folder} is full, so the weights of step "
            f"{session.progress.step:,} could not be written. Make room, then resume the run."
        )
    if is_out_of_memory(error):
        return out_of_memory(session.request, session.device)
    return None


def is_out_of_memory(error: Exception) -> bool:
    """Torch's allocator for CUDA has a class for it; others raise a plain RuntimeError."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _OUT_OF_MEMORY)


def out_of_memory(request: RunRequest, device: torch.device) -> str:
    """What a step needs, and the batch size that needs half."""
    size = request.recipe.batch_size
    need = cost(plan(request.spec), batch_size=size, optimizer=request.recipe.optimizer)
    found = (
        f"Memory ran out: a step with {size:,} pictures needs about "
        f"{format_size(need.training_bytes)} on {device.type} beside what is there already. "
    )
    if size == 1:
        return found + "Choose a smaller network."
    return found + f"Choose a batch size of {size // 2:,} or less, or a smaller network."

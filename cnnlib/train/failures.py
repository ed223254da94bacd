"""Messages for errors that end a run but are not bugs: a full disk, too little memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.train.execution.host import is_full_disk
from cnnlib.units import format_size, plural

if TYPE_CHECKING:
    from cnnlib.records.run import RunRequest
    from cnnlib.train.session import Session

# In messages of the CPU's allocator, of CUDA and MPS, and of CUDA libraries (cuBLAS, cuDNN).
_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "ALLOC_FAILED")


def describe_failure(error: Exception, session: Session) -> str | None:
    """Return a message with the cause and a remedy; None for an error of another kind."""
    if is_full_disk(error):
        return (
            f"The disk that holds {session.folder} is full, so the weights of step "
            f"{session.progress.step:,} could not be written. Free some space, then resume the run."
        )
    if is_out_of_memory(error):
        return describe_out_of_memory(session.request, session.device)
    return None


def is_out_of_memory(error: Exception) -> bool:
    """Return whether memory ran out.

    Torch raises a class of its own for CUDA, and a plain RuntimeError elsewhere.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _OUT_OF_MEMORY)


def describe_out_of_memory(request: RunRequest, device: torch.device) -> str:
    """Return a message with the memory of a step, and a batch size that needs half of it."""
    size = request.recipe.batch_size
    need = cost(plan(request.spec), batch_size=size, optimizer=request.recipe.optimizer)
    message = (
        f"Memory ran out: a training step with {plural(size, 'picture')} needs about "
        f"{format_size(need.training_bytes)} of additional memory on {device.type}. "
    )
    if size == 1:
        return message + "Choose a smaller network."
    return message + f"Choose a batch size of {size // 2:,} or less, or a smaller network."

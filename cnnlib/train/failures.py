"""Errors that end a run but are no bug of the lab: what they are, as sentences."""

from __future__ import annotations

import errno

import torch

from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.records.run import RunRequest
from cnnlib.train.session import Session

_FULL = (errno.ENOSPC, errno.EDQUOT)


def known_failure(error: Exception, session: Session) -> str | None:
    """A sentence on why the run cannot go on and what to do; None for an error of another kind."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return (
            f"The disk that holds {session.folder} is full, so the weights of step "
            f"{session.progress.step:,} could not be written. Make room, then resume the run."
        )
    if is_out_of_memory(error):
        return out_of_memory(session.request, session.device)
    return None


def is_out_of_memory(error: Exception) -> bool:
    """CUDA and MPS have a class for it; the CPU's allocator raises a plain RuntimeError."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in str(error) or "out of memory" in str(error)
    )


def out_of_memory(request: RunRequest, device: torch.device) -> str:
    """What a step needs, and the batch size that needs half."""
    size = request.recipe.batch_size
    need = cost(plan(request.spec), batch_size=size, optimizer=request.recipe.optimizer)
    found = (
        f"Memory ran out: a step with {size:,} pictures needs about "
        f"{need.training_bytes / 1e9:.2g} GB on {device.type} beside what is there already. "
    )
    if size == 1:
        return found + "Choose a smaller network."
    return found + f"Choose a batch size of {size // 2:,} or less, or a smaller network."

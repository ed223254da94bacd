"""Errors that end a run but are no bug of the lab: what they are, as sentences."""

from __future__ import annotations

import errno

import torch

from cnnlib.train.session import Session

_FULL = (errno.ENOSPC, errno.EDQUOT)


def known_failure(error: Exception, session: Session) -> str | None:
    """A sentence on why the run cannot go on and what to do; None for an error of another kind."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return (
            f"The disk that holds {session.folder} is full, so the weights of step "
            f"{session.progress.step:,} could not be written. Make room, then resume the run."
        )
    if _is_out_of_memory(error):
        return _out_of_memory(session)
    return None


def _is_out_of_memory(error: Exception) -> bool:
    """CUDA and MPS have a class for it; the CPU's allocator raises a plain RuntimeError."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in str(error) or "out of memory" in str(error)
    )


def _out_of_memory(session: Session) -> str:
    size = session.request.recipe.batch_size
    need = session.cost.training_bytes
    found = (
        f"Memory ran out: a step with {size:,} pictures needs about {need / 1e9:.2g} GB on "
        f"{session.device.type} beside what is there already. "
    )
    if size == 1:
        return found + "Choose a smaller network."
    return found + f"Choose a batch size of {max(1, size // 2):,} or less, or a smaller network."

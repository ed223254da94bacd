"""Which pictures each step of an epoch sees."""

from __future__ import annotations

# Pictures that are measured at once; more are no faster.
CPU_EVALUATION_BATCH, GPU_EVALUATION_BATCH = 256, 2048


def batch_ends(count: int, batch_size: int, start: int = 0) -> list[int]:
    """Where the batches of an epoch end, as positions in its order.

    The last batch is short where the batch size does not divide the count. A last batch of ONE
    picture joins the batch before it, for every network: batch norm cannot normalise a single
    value, no picture is left out, and all designs see the same batches.

    Args:
        count: Pictures in an epoch.
        start: Position from which an epoch is continued.

    Example:
        >>> batch_ends(10, 4), batch_ends(9, 4), batch_ends(9, 4, start=4)
        ([4, 8, 10], [4, 9], [9])
    """
    ends = list(range(start + batch_size, count, batch_size)) + [count] * (start < count)
    if batch_size > 1 and len(ends) > 1 and ends[-1] - ends[-2] == 1:
        del ends[-2]
    return ends


def step_count(count: int, batch_size: int, epochs: int, start: int = 0) -> int:
    """Steps from a position in the first of ``epochs`` epochs to the end of the last."""
    if epochs < 1:
        return 0
    whole = len(batch_ends(count, batch_size))
    return len(batch_ends(count, batch_size, start)) + (epochs - 1) * whole

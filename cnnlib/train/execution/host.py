"""A disk that is full: an error that ends a run or a job and is no bug of the lab. (No torch.)"""

from __future__ import annotations

import errno

_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_full_disk(error: BaseException) -> bool:
    """There was no room for what was to be written, or one's share of the disk is used up."""
    return isinstance(error, OSError) and error.errno in _FULL

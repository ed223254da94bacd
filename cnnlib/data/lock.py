"""A lock between processes, held on a file; the system releases it when the process ends."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from cnnlib.records.job import Progress

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_POLL_SECONDS = 0.1


def wait_for_lock(path: Path, text: str) -> Generator[Progress, None, int]:
    """Take the lock on ``path``; until it is free, yield ``text`` as progress ten times a second.

    Returns:
        A file descriptor; closing it releases the lock.
    """
    while (descriptor := try_lock(path)) is None:
        yield Progress(0.0, text)
        time.sleep(_POLL_SECONDS)
    return descriptor


def try_lock(path: Path) -> int | None:
    """Take the lock on ``path`` and return its descriptor; None if another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _lock(descriptor)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(*error.args) from error

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

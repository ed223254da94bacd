"""A lock between processes, held on a file; the system releases it when its holder dies."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from pathlib import Path

from cnnlib.records.job import Progress

_POLL_SECONDS = 0.1


def wait_for_lock(path: Path, text: str) -> Generator[Progress, None, int]:
    """Take the lock on ``path``; while another process holds it, tell so ten times a second.

    Returns:
        A file descriptor; closing it releases the lock.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        while not _try_lock(descriptor):
            yield Progress(0.0, text)
            time.sleep(_POLL_SECONDS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


if os.name == "nt":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

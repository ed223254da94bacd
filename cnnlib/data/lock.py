"""A lock between processes, held on a file; the system releases it when the process ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from cnnlib.records.job import Progress

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from filelock import BaseFileLock

_POLL_SECONDS = 0.1


def wait_for_lock(path: Path, text: str) -> Generator[Progress, None, BaseFileLock]:
    """Take the lock on ``path``; until it is free, yield ``text`` as progress ten times a second.

    Returns:
        The lock, for its ``release``.
    """
    while (lock := try_lock(path)) is None:
        yield Progress(0.0, text)
        time.sleep(_POLL_SECONDS)
    return lock


def try_lock(path: Path) -> BaseFileLock | None:
    """Take the lock on ``path`` and return it; None if somebody else holds it."""
    lock = FileLock(path, thread_local=False)  # a job may end on another thread
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    return lock

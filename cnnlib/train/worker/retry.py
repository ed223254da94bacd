"""Calls of a worker to the store that are repeated while the database cannot be reached."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from cnnlib.runs.database import StoreUnreachable

RETRY_SECONDS = 1.0
PATIENCE_SECONDS = 120.0  # longer than a restart of a database takes
P = ParamSpec("P")
T = TypeVar("T")


def until_reachable(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call the store, again and again while it cannot be reached; the call must bear repeating.

    Raises:
        StoreUnreachable: It could not be reached for `PATIENCE_SECONDS`.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return call(*args, **kwargs)
        except StoreUnreachable:
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY_SECONDS)

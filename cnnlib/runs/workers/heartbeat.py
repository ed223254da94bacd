"""A worker's presence in the store: from its announcement to its leaving."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Literal

from cnnlib.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Generator

    from cnnlib.runs.store import RunStore

HEARTBEAT_SECONDS = 3.0


@contextmanager
def registered_worker(store: RunStore, does: Literal["runs", "jobs"]) -> Generator[str]:
    """Make this process a worker, with a beating heart, until the block is left.

    Yields:
        The worker's id, with which it claims.
    """
    worker_id = store.register_worker(does)
    ended = Event()
    heart = Thread(
        target=_send_heartbeats, args=(store, worker_id, does, ended), name="heart", daemon=True
    )
    heart.start()
    try:
        yield worker_id
    finally:
        ended.set()
        heart.join()
        store.unregister_worker(worker_id)


def _send_heartbeats(store: RunStore, worker_id: str, does: str, ended: Event) -> None:
    """Beat until the end; a beat that fails is made up for by the next one."""
    while not ended.wait(HEARTBEAT_SECONDS):
        try:
            store.send_heartbeat(worker_id, does)
        except StoreError as error:
            print(error, file=sys.stderr, flush=True)

"""Registration of a process as a worker, with regular heartbeats."""

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
    """Register this process as a worker and send heartbeats until the block exits.

    Yields:
        The worker's id, which it uses to claim runs or jobs.
    """
    worker_id = store.workers.register(does)
    ended = Event()
    thread = Thread(
        target=_send_heartbeats, args=(store, worker_id, does, ended), name="heartbeat", daemon=True
    )
    thread.start()
    try:
        yield worker_id
    finally:
        ended.set()
        thread.join()
        store.workers.unregister(worker_id)


def _send_heartbeats(store: RunStore, worker_id: str, does: str, ended: Event) -> None:
    """Send heartbeats until ``ended`` is set; print errors and retry at the next one."""
    while not ended.wait(HEARTBEAT_SECONDS):
        try:
            store.workers.send_heartbeat(worker_id, does)
        except StoreError as error:
            print(error, file=sys.stderr, flush=True)

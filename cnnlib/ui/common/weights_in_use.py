"""The newest weights of a run for the routes, and the request for newer ones."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from cnnlib.records.events import Command

if TYPE_CHECKING:
    from pathlib import Path

    from cnnlib.runs.store import RunStore

REQUEST_EVERY_SECONDS = 4.0  # a request is valid for ten seconds
SEEN_EVERY_SECONDS = 15.0

_lock = threading.Lock()
_requested: dict[str, float] = {}
_seen: dict[str, float] = {}
_MOST_RUNS = 1000


def newest_weights(store: RunStore, run_id: str) -> tuple[Path, int] | None:
    """Return the file of a run's newest weights and its time of writing (ns); None without any.

    A run in training is asked for newer ones, and a sketch is marked as seen.

    Raises:
        StoreError: There is no such run.
    """
    run = store.run(run_id)
    if run.is_live and _is_due(_requested, run_id, REQUEST_EVERY_SECONDS):
        store.submit_command(run_id, Command("look"))
    if _is_due(_seen, run_id, SEEN_EVERY_SECONDS):
        store.sketches.see(run_id)
    saved = store.saved_weights(run_id)
    restored = [each for each in saved if each.step == run.weights_step]
    for each in sorted(restored or saved, key=lambda each: (-each.step, each.size_bytes)):
        path = store.folders.run(run_id) / each.file
        try:
            return path, path.stat().st_mtime_ns
        except FileNotFoundError:  # deleted meanwhile: the next one
            continue
    return None


def _is_due(times: dict[str, float], run_id: str, interval_seconds: float) -> bool:
    """Whether the interval has passed for a run since the last time; if so, it begins again."""
    now = time.monotonic()
    with _lock:
        if now - times.get(run_id, -interval_seconds) < interval_seconds:
            return False
        if len(times) >= _MOST_RUNS:
            times.clear()
        times[run_id] = now
        return True

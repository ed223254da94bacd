"""The newest weights of a run, and the request for newer ones, for all pages and routes."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from cnnlib.records.events import Command
from cnnlib.runs.weight_files import newest_first

if TYPE_CHECKING:
    from pathlib import Path

    from cnnlib.records.run import Run
    from cnnlib.runs.store import RunStore

REQUEST_EVERY_SECONDS = 4.0  # a request is valid for ten seconds
SEEN_EVERY_SECONDS = 15.0

_lock = threading.Lock()
_requested: dict[str, float] = {}
_seen: dict[str, float] = {}
_touched: dict[str, float] = {}
_MOST_RUNS = 1000


def newest_weights(
    store: RunStore, run: Run, *, is_touched: bool = False
) -> tuple[Path, int] | None:
    """Return the file of a run's newest weights and its time of writing (ns); None without any.

    A run in training is asked for newer ones, and a sketch is marked as seen.

    Args:
        is_touched: A person draws for it.
    """
    request_latest_weights(store, run)
    if _is_due(_touched if is_touched else _seen, run.id, SEEN_EVERY_SECONDS):
        store.sketches.see(run.id, is_touched=is_touched)
    for each in newest_first(run, store.saved_weights(run.id)):
        path = store.folders.run(run.id) / each.file
        try:
            return path, path.stat().st_mtime_ns
        except FileNotFoundError:  # deleted meanwhile: the next one
            continue
    return None


def request_latest_weights(store: RunStore, run: Run) -> None:
    """Request a fresh `latest` file of a live run, at most every `REQUEST_EVERY_SECONDS`."""
    if run.is_live and _is_due(_requested, run.id, REQUEST_EVERY_SECONDS):
        store.submit_command(run.id, Command("look"))


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

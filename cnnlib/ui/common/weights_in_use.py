"""The newest weights of a run, and the request for newer ones, for all pages and routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnlib.records.events import Command
from cnnlib.runs.rate_limit import RateLimit
from cnnlib.runs.weight_files import newest_first

if TYPE_CHECKING:
    from pathlib import Path

    from cnnlib.records.run import Run
    from cnnlib.runs.store import RunStore

REQUEST_EVERY_SECONDS = 4.0  # a request is valid for ten seconds
SEEN_EVERY_SECONDS = 15.0

_requested = RateLimit(REQUEST_EVERY_SECONDS)
_seen, _touched = RateLimit(SEEN_EVERY_SECONDS), RateLimit(SEEN_EVERY_SECONDS)


def newest_weights(
    store: RunStore, run: Run, *, is_touched: bool = False
) -> tuple[Path, int] | None:
    """Return the file of a run's newest weights and its time of writing (ns); None without any.

    A run in training is asked for newer ones, and a sketch is marked as seen.

    Args:
        is_touched: A person draws for it.
    """
    request_latest_weights(store, run)
    if (_touched if is_touched else _seen).is_due(run.id):
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
    if run.is_live and _requested.is_due(run.id):
        store.submit_command(run.id, Command("look"))

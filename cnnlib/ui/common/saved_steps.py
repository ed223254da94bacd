"""Saved steps of runs, newest weights of live runs, and the pictures that pages show of them.

No function here needs torch; `cnnlib.ui.common.viewer` computes what does.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from cnnlib.errors import FileMissing, ProbeError
from cnnlib.probe.pictures import check_unchanged
from cnnlib.probe.weights import Weights, read_arrays
from cnnlib.records.events import Command, WeightsSaved
from cnnlib.records.maps import NetworkSource
from cnnlib.runs.rate_limit import RateLimit
from cnnlib.runs.saved_steps import newest_first
from cnnlib.ui.common.shared import prepared, run_store

if TYPE_CHECKING:
    from cnnlib.data.prepared import Prepared
    from cnnlib.records.run import Run
    from cnnlib.runs.store import RunStore


@dataclass(frozen=True)
class SavedStep:
    """The weights of one saved step of a run.

    Args:
        source: The design, the file and its modification time.
    """

    run_id: str
    step: int
    source: NetworkSource

    @classmethod
    def of(cls, run: Run, saved: WeightsSaved) -> SavedStep:
        """Return the saved step of a weights file.

        Raises:
            ProbeError: The file was deleted.
            FilesUnreachable: The files of the store cannot be reached.
        """
        try:
            path = run_store().weights_file(run.id, saved)
            written = path.stat().st_mtime_ns
        except (FileMissing, FileNotFoundError) as error:
            raise ProbeError(
                f"The weights of step {saved.step:,} were deleted, because a run keeps a limited "
                "number of saved steps. Choose another step."
            ) from error
        return cls(run.id, saved.step, NetworkSource(run.request.spec, 0, path, written))

    @property
    def version(self) -> tuple[str, int]:
        """Key for caches: path and modification time of the file."""
        return str(self.source.weights), self.source.written


@dataclass(frozen=True)
class Picture:
    """An input picture of a network.

    Args:
        pixels: C x H x W, uint8.
        key: Unique key for caches.
        label: Its true class; None if unknown.
        note: Sentence on its origin and preparation.
        test_index: Its index in the test split; None if drawn or uploaded.
    """

    pixels: np.ndarray
    key: str
    label: int | None = None
    note: str = ""
    test_index: int | None = None


def weights_at(saved_step: SavedStep) -> Weights:
    """Return the weights of a saved step.

    Raises:
        ProbeError: The file was deleted or damaged.
    """
    return _weights(*saved_step.version)


@st.cache_resource(show_spinner=False, max_entries=8)
def _weights(path: str, written: int) -> Weights:
    """Read weights, cached by path and modification time in nanoseconds."""
    return read_arrays(Path(path))


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the softmax of one row of scores."""
    shifted = np.exp(logits - logits.max())
    return shifted / shifted.sum()


def open_dataset(run: Run) -> Prepared:
    """Open the dataset that a run was trained on.

    Raises:
        CnnlibError: It was deleted or has changed.
    """
    found = prepared(run.request.dataset, run.fingerprint)
    check_unchanged(run, found.info)
    return found


def picture_of_test_split(data: Prepared, index: int) -> Picture:
    """Return a picture of the test split."""
    return Picture(
        np.array(data.test_images[index]),
        f"{data.info.fingerprint}/{index}",
        int(data.test_labels[index]),
        test_index=index,
    )


# -- live runs -------------------------------------------------------------------------------------


def weights_may_change(run: Run) -> bool:
    """Return whether a run has started and has not ended."""
    return run.is_live and run.state != "queued"


def newest_saved_step(run: Run) -> SavedStep | None:
    """Return the newest weights of a run, and request fresh ones; None if there are none yet.

    Raises:
        ProbeError: The file was deleted meanwhile.
    """
    request_latest_weights(run_store(), run)
    saved = newest_first(run, run_store().saved_weights(run.id))
    return SavedStep.of(run, saved[0]) if saved else None


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
        with suppress(FileMissing, FileNotFoundError):  # deleted meanwhile: the next one
            path = store.weights_file(run.id, each)
            return path, path.stat().st_mtime_ns
    return None


def request_latest_weights(store: RunStore, run: Run) -> None:
    """Request a fresh `latest` file of a live run, at most every `REQUEST_EVERY_SECONDS`."""
    if run.is_live and _requested.is_due(run.id):
        store.submit_command(run.id, Command("look"))

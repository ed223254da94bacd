"""Shared caches of saved weights, networks and their activations.

Keys are ids and the modification time of files; the caches are bounded and shared by all sessions.
Torch is imported in a thread at the first visit, while the page shows what does not need it.
"""

from __future__ import annotations

import gc
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np  # before torch, and on this thread: concurrent imports of it fail
import streamlit as st

from cnnlib.errors import ProbeError
from cnnlib.probe.pictures import check_unchanged
from cnnlib.probe.weights import Weights, network, read_arrays
from cnnlib.ui.common.shared import folders, prepared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cnnlib.data.prepared import Prepared
    from cnnlib.nets.model import Network
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.events import WeightsSaved
    from cnnlib.records.run import Run


@dataclass(frozen=True)
class SavedStep:
    """The weights of one saved step of a run.

    Args:
        written: Modification time, nanoseconds since 1970; distinguishes versions of a file.
    """

    run_id: str
    step: int
    path: str
    written: int

    @classmethod
    def of(cls, run: Run, saved: WeightsSaved) -> SavedStep:
        """Return the saved step of a weights file.

        Raises:
            ProbeError: The file was deleted.
        """
        path = folders().run(run.id) / saved.file
        try:
            written = path.stat().st_mtime_ns
        except FileNotFoundError as error:
            raise ProbeError(
                f"The weights of step {saved.step:,} were deleted, because a run keeps a limited "
                "number of saved steps. Choose another step."
            ) from error
        return cls(run.id, saved.step, str(path), written)


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


def import_torch() -> None:
    """Start to import torch in a thread, once per server."""
    _torch()


def is_torch_loaded() -> bool:
    """Return whether torch is imported; if not, its import has been started."""
    future = _torch()
    return future.done() and future.result() is None


def wait_for_torch() -> None:
    """Block until torch is imported: a few seconds at the first visit after the server's start."""
    future = _torch()
    if not future.done():
        with st.spinner("Loading PyTorch. This happens once after the start of the server."):
            future.result()
    future.result()


@st.cache_resource(show_spinner=False)
def _torch() -> Future[None]:
    """Start the import of torch and return its future."""
    future: Future[None] = Future()

    def load() -> None:
        try:
            import torch

            import cnnlib.probe.forward  # noqa: F401

            torch.set_num_threads(1)  # for single pictures; leaves cores to the server
            gc.collect()
            gc.freeze()  # Streamlit collects garbage after every rerun
            future.set_result(None)
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=load, name="import torch", daemon=True).start()
    return future


@st.cache_resource(show_spinner=False, max_entries=24)
def weights_at(saved_step: SavedStep) -> Weights:
    """Return the weights of a saved step, read without torch."""
    return read_arrays(Path(saved_step.path))


@st.cache_resource(show_spinner=False, max_entries=8)
def network_at(saved_step: SavedStep, _run: Run) -> Network:
    """Return the network of a saved step in evaluation mode, shared by all sessions."""
    return network(_run.request.spec, weights_at(saved_step))


@st.cache_resource(show_spinner=False, max_entries=12)
def maps_at(
    saved_step: SavedStep, picture_key: str, _run: Run, _picture: Picture, _info: DatasetInfo
) -> Mapping[str, np.ndarray]:
    """Return the output of every layer for a picture, by layer; ``input`` is normalised."""
    from cnnlib.probe.forward import activations

    return activations(network_at(saved_step, _run), normalised(_picture.pixels, _info)[None])


@st.cache_resource(show_spinner=False, max_entries=24)
def dead_at(
    saved_step: SavedStep, count: int, _run: Run, _prepared: Prepared
) -> Mapping[str, np.ndarray]:
    """Return masks of channels with equal output on the first ``count`` test pictures, by layer."""
    from cnnlib.probe.dead_channels import dead_channels

    pictures = normalised_all(_prepared.test_images[:count], _prepared.info)
    return dead_channels(network_at(saved_step, _run), pictures)


def normalised_all(pictures: np.ndarray, info: DatasetInfo) -> np.ndarray:
    """Normalise pictures (N x C x H x W, uint8) to the network's input (float32)."""
    import torch

    from cnnlib.data.batches import Normaliser

    return Normaliser(info, "cpu")(torch.from_numpy(np.array(pictures))).numpy()


def normalised(pixels: np.ndarray, info: DatasetInfo) -> np.ndarray:
    """Normalise one picture (C x H x W, uint8) to the network's input (float32)."""
    return normalised_all(pixels[None], info)[0]


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

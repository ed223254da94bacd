"""What Inspect reads: weights of saved steps and what a network computes, each of them once.

Everything is kept by ids and by the moment at which a file was written, in bounded caches that all
sessions share. Torch is imported on the first visit, beside what the page shows without it.
"""

from __future__ import annotations

import gc
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np  # before torch, and on this thread: two threads importing it at once break it
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
        written: Nanoseconds since 1970; a file that is rewritten is another moment.
    """

    run_id: str
    step: int
    path: str
    written: int

    @classmethod
    def of(cls, run: Run, saved: WeightsSaved) -> SavedStep:
        """The moment that a file holds.

        Raises:
            ProbeError: It went away.
        """
        path = folders().run(run.id) / saved.file
        try:
            written = path.stat().st_mtime_ns
        except FileNotFoundError as error:
            raise ProbeError(
                f"The weights of step {saved.step:,} were thinned out while the run went on. "
                "Choose another step."
            ) from error
        return cls(run.id, saved.step, str(path), written)


@dataclass(frozen=True)
class Picture:
    """What the network looks at.

    Args:
        pixels: C x H x W, uint8.
        key: Tells it from other pictures.
        label: Its true class; None where nobody knows.
        note: What was done to it, as a sentence.
        place: Its number in the test split; None where it is the person's own.
    """

    pixels: np.ndarray
    key: str
    label: int | None = None
    note: str = ""
    place: int | None = None


def import_torch() -> None:
    """Begin to import torch beside the page, once for the server."""
    _torch()


def torch_is_here() -> bool:
    """Torch can be used at once; where not, its import is under way now."""
    ready = _torch()
    return ready.done() and ready.result() is None


def wait_for_torch() -> None:
    """Return once torch is there; a few seconds at the first visit of a server's life."""
    ready = _torch()
    if not ready.done():
        with st.spinner("Loading the library that computes networks, once for this server."):
            ready.result()
    ready.result()


@st.cache_resource(show_spinner=False)
def _torch() -> Future[None]:
    ready: Future[None] = Future()

    def load() -> None:
        try:
            import torch

            import cnnlib.probe.forward  # noqa: F401

            torch.set_num_threads(1)  # single pictures, beside a server that must answer
            gc.collect()
            gc.freeze()  # Streamlit collects garbage after every rerun
            ready.set_result(None)
        except BaseException as error:
            ready.set_exception(error)

    threading.Thread(target=load, name="import torch", daemon=True).start()
    return ready


@st.cache_resource(show_spinner=False, max_entries=24)
def weights_at(moment: SavedStep) -> Weights:
    """The weights of a moment, read without torch."""
    return read_arrays(Path(moment.path))


@st.cache_resource(show_spinner=False, max_entries=8)
def network_at(moment: SavedStep, _run: Run) -> Network:
    """The network of a moment, in evaluation mode, shared by all sessions."""
    return network(_run.request.spec, weights_at(moment))


@st.cache_resource(show_spinner=False, max_entries=12)
def maps_at(
    moment: SavedStep, picture_key: str, _run: Run, _picture: Picture, _info: DatasetInfo
) -> Mapping[str, np.ndarray]:
    """What every layer gives for a picture at a moment, by layer; ``input`` is normalised."""
    from cnnlib.probe.forward import activations

    return activations(network_at(moment, _run), normalised(_picture.pixels, _info)[None])


@st.cache_resource(show_spinner=False, max_entries=24)
def dead_at(
    moment: SavedStep, count: int, _run: Run, _prepared: Prepared
) -> Mapping[str, np.ndarray]:
    """Which channels say the same of the first ``count`` test pictures, by step."""
    from cnnlib.probe.dead_channels import dead_channels

    pictures = normalised_all(_prepared.test_images[:count], _prepared.info)
    return dead_channels(network_at(moment, _run), pictures)


def normalised_all(pictures: np.ndarray, info: DatasetInfo) -> np.ndarray:
    """N x C x H x W, uint8, as the network is fed: float32."""
    import torch

    from cnnlib.data.batches import Normaliser

    return Normaliser(info, "cpu")(torch.from_numpy(np.array(pictures))).numpy()


def normalised(pixels: np.ndarray, info: DatasetInfo) -> np.ndarray:
    """C x H x W, uint8, as the network is fed: float32."""
    return normalised_all(pixels[None], info)[0]


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Softmax of one row of scores."""
    shifted = np.exp(logits - logits.max())
    return shifted / shifted.sum()


def open_dataset(run: Run) -> Prepared:
    """The pictures that a run was trained on.

    Raises:
        CnnlibError: They are gone, or are others now.
    """
    found = prepared(run.request.dataset, run.fingerprint)
    check_unchanged(run, found.info)
    return found


def picture_of_test_split(data: Prepared, index: int) -> Picture:
    """A picture of the test split."""
    return Picture(
        np.array(data.test_images[index]),
        f"{data.info.fingerprint}/{index}",
        int(data.test_labels[index]),
        place=index,
    )

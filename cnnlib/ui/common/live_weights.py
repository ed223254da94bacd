"""The newest weights of a run in training, and the maps and gradients computed from them.

A run in training rewrites its `latest` file while pages request it with the command "look". Each
version is read once for all sessions and cached briefly.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.probe.weights import Weights, network, read_arrays
from cnnlib.records.events import Command
from cnnlib.ui.common.network_cache import SavedStep
from cnnlib.ui.common.shared import run_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from cnnlib.nets.model import Network
    from cnnlib.records.probe import Gradients
    from cnnlib.records.run import Run

REQUEST_EVERY_SECONDS = 4.0  # a request is valid for ten seconds


def weights_may_change(run: Run) -> bool:
    """Return whether a run has started and has not ended."""
    return run.is_live and run.state != "queued"


def newest_saved_step(run: Run) -> SavedStep | None:
    """Return the newest weights of a run, and request fresh ones; None if there are none yet.

    Raises:
        ProbeError: The file was deleted meanwhile.
    """
    request_latest_weights(run)
    saved = run_store().saved_weights(run.id)
    if not saved:
        return None
    restored = [each for each in saved if each.step == run.weights_step]
    return SavedStep.of(run, max(restored or saved, key=lambda each: (each.step, -each.size_bytes)))


def request_latest_weights(run: Run) -> None:
    """Request a fresh `latest` file of a live run, at most every `REQUEST_EVERY_SECONDS`."""
    key, now = f"train_requested_{run.id}", time.monotonic()
    last = st.session_state.get(key, -REQUEST_EVERY_SECONDS)
    if run.is_live and now - last >= REQUEST_EVERY_SECONDS:
        st.session_state[key] = now
        run_store().submit_command(run.id, Command("look"))


@st.cache_resource(show_spinner=False, max_entries=3)
def weights_now(saved_step: SavedStep) -> Weights:
    """Return the weights of a saved step, read without torch."""
    return read_arrays(Path(saved_step.path))


@st.cache_resource(show_spinner=False, max_entries=3)
def network_now(saved_step: SavedStep, _run: Run) -> Network:
    """Return the network of a saved step, shared by all sessions."""
    return network(_run.request.spec, weights_now(saved_step))


def maps_now(saved_step: SavedStep, run: Run, image: np.ndarray) -> Mapping[str, np.ndarray]:
    """Return the output of every layer for one picture (C x H x W, normalised)."""
    from cnnlib.probe.forward import activations

    return activations(network_now(saved_step, run), image[None])


def gradients_now(saved_step: SavedStep, run: Run, image: np.ndarray, label: int) -> Gradients:
    """Return the gradients of the loss on one picture (C x H x W, normalised)."""
    from cnnlib.probe.gradients import gradients

    return gradients(network_now(saved_step, run), image, label)

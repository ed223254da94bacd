"""What the live page reads of a network that still learns: its newest weights, and no others.

A run under way keeps one `latest` file fresh for as long as somebody looks; each second's weights
are read once for all sessions and forgotten soon.
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

LOOK_AGAIN_SECONDS = 4.0  # a look lasts for ten seconds


def goes_on(run: Run) -> bool:
    """It trains, or may go on at any moment: its weights change."""
    return run.is_live and run.state != "queued"


def newest_moment(run: Run) -> SavedStep | None:
    """The newest weights of a run, which is told that somebody looks; None before there are any.

    Raises:
        ProbeError: They went away meanwhile.
    """
    ask_to_look(run)
    saved = run_store().saved_weights(run.id)
    if not saved:
        return None
    return SavedStep.of(run, max(saved, key=lambda each: (each.step, -each.size_bytes)))


def ask_to_look(run: Run) -> None:
    """Order a fresh `latest` file of a run under way, no oftener than is needed to keep it so."""
    key, now = f"train_looked_{run.id}", time.monotonic()
    if run.is_live and now - st.session_state.get(key, -LOOK_AGAIN_SECONDS) >= LOOK_AGAIN_SECONDS:
        st.session_state[key] = now
        run_store().submit_command(run.id, Command("look"))


@st.cache_resource(show_spinner=False, max_entries=3)
def weights_now(moment: SavedStep) -> Weights:
    """The weights of a moment, read without torch."""
    return read_arrays(Path(moment.path))


@st.cache_resource(show_spinner=False, max_entries=3)
def network_now(moment: SavedStep, _run: Run) -> Network:
    """The network of a moment, shared by all sessions."""
    return network(_run.request.spec, weights_now(moment))


def maps_now(moment: SavedStep, run: Run, image: np.ndarray) -> Mapping[str, np.ndarray]:
    """What every step of the network gives for one picture (C x H x W, normalised)."""
    from cnnlib.probe.forward import activations

    return activations(network_now(moment, run), image[None])


def gradients_now(moment: SavedStep, run: Run, image: np.ndarray, label: int) -> Gradients:
    """What would change the loss on one picture (C x H x W, normalised)."""
    from cnnlib.probe.gradients import gradients

    return gradients(network_now(moment, run), image, label)

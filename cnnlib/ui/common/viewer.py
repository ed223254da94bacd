"""What pages show of saved networks, computed by the viewer process and cached for all sessions.

Every function raises `ViewerError` while the viewer starts; a fragment made with
`cnnlib.ui.common.messages.fragment` shows that as a sentence and draws itself again later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from cnnlib.data.prepared import Prepared
from cnnlib.records.dataset import DatasetInfo
from cnnlib.ui.common.saved_steps import Picture, SavedStep
from cnnlib.ui.common.shared import place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cnnlib.design.spec import CNNSpec
    from cnnlib.records.compare import Speed
    from cnnlib.records.probe import Completeness, Gradients, LayerGradient, SanityCheck
    from cnnlib.records.run import RunRequest

# What distinguishes the arguments of cached functions.
_KEYS: dict[str | type[Any], Callable[[Any], Any]] = {
    SavedStep: lambda saved_step: saved_step.version,
    Picture: lambda picture: (picture.key, picture.label),
    DatasetInfo: lambda info: info.fingerprint,
    Prepared: lambda data: data.info.fingerprint,
}


def ask(function: str, *arguments: Any) -> Any:
    """Call a function of `cnnlib.probe.viewer.functions` in the viewer process.

    Raises:
        ViewerError: The viewer is not ready.
        CnnlibError: The function raised it.
        FaultError: The function raised another error, which is in the viewer's log.
    """
    return place().viewer_answer(function, *arguments)


@st.cache_resource(show_spinner=False, max_entries=50)
def picture_speeds(specs: tuple[CNNSpec, ...]) -> tuple[Speed, ...]:
    """Return the time that each design needs for a picture, measured side by side once."""
    return tuple(ask("picture_speeds", specs))


@st.cache_resource(show_spinner=False, max_entries=200)
def training_step_seconds(request: RunRequest) -> float:
    """Return the time of a training step of a request in its mode, measured once."""
    return float(ask("training_step_seconds", request))


@st.cache_resource(show_spinner=False, max_entries=12, hash_funcs=_KEYS)
def layer_outputs(
    saved_step: SavedStep, picture: Picture, info: DatasetInfo
) -> Mapping[str, np.ndarray]:
    """Return the output of every layer for a picture, by layer; ``input`` is normalised.

    Returns:
        Arrays of 1 x C x H x W or 1 x features, float32.
    """
    return ask("layer_outputs", saved_step.source, info, picture.pixels)


@st.cache_resource(show_spinner=False, max_entries=24, hash_funcs=_KEYS)
def dead_channels(saved_step: SavedStep, count: int, data: Prepared) -> Mapping[str, np.ndarray]:
    """Return masks of channels with equal output on the first ``count`` test pictures, by layer."""
    return ask("dead_channels", saved_step.source, data.info, np.array(data.test_images[:count]))


@st.cache_resource(show_spinner=False, max_entries=8, hash_funcs=_KEYS)
def gradients(saved_step: SavedStep, picture: Picture, info: DatasetInfo) -> Gradients:
    """Return the gradients of the loss on a picture with a label."""
    return ask("gradients", saved_step.source, info, picture.pixels, picture.label or 0)


@st.cache_resource(show_spinner=False, max_entries=128, hash_funcs=_KEYS)
def layer_gradients(
    saved_step: SavedStep, picture: Picture, info: DatasetInfo
) -> list[LayerGradient]:
    """Return the size of the gradient of each layer, for a picture with a label."""
    return ask("layer_gradients", saved_step.source, info, picture.pixels, picture.label or 0)


@st.cache_resource(show_spinner=False, max_entries=32, hash_funcs=_KEYS)
def attribution_map(
    saved_step: SavedStep, picture: Picture, info: DatasetInfo, target: int, method: str
) -> np.ndarray:
    """Return the attribution map of one method for a class: C x H x W or 1 x h x w."""
    return ask("attribution_map", saved_step.source, info, picture.pixels, target, method)


@st.cache_resource(show_spinner=False, max_entries=32, hash_funcs=_KEYS)
def completeness(
    saved_step: SavedStep, picture: Picture, info: DatasetInfo, target: int, method: str
) -> Completeness | None:
    """Return the sum of a map and what it should add up to; None if the method promises none."""
    found = attribution_map(saved_step, picture, info, target, method)
    return ask("completeness", saved_step.source, info, picture.pixels, target, method, found)


@st.cache_resource(show_spinner=False, max_entries=32, hash_funcs=_KEYS)
def sanity_check(
    saved_step: SavedStep, picture: Picture, info: DatasetInfo, target: int, method: str
) -> SanityCheck:
    """Return the result of the sanity check of an attribution map."""
    return ask("sanity_check", saved_step.source, info, picture.pixels, target, method)

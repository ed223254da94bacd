"""Gradients of the loss on the chosen picture: as pictures, layer by layer, and over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from cnnlib.design.cost import cost
from cnnlib.errors import ProbeError
from cnnlib.figures.inspect import (
    gradient_bands_figure,
    gradient_sizes_figure,
    gradients_over_time_figure,
)
from cnnlib.probe.graph import step_named
from cnnlib.ui.common.components import tile_grid
from cnnlib.ui.common.messages import show_warning
from cnnlib.ui.common.network_cache import (
    SavedStep,
    network_at,
    normalised,
    wait_for_torch,
    weights_at,
)
from cnnlib.ui.inspect.selection import Subject, choose_layer

if TYPE_CHECKING:
    from cnnlib.records.probe import Gradients, LayerGradient

MOST_MACS_OVER_TIME = 3_000_000_000  # about a second on one thread


def gradients_panel(subject: Subject) -> None:
    """What would change the loss: sizes per layer with warnings, and a layer's own pictures."""
    if subject.picture.label is None:
        raise ProbeError(
            "The loss needs the true class, and nobody knows that of your own picture. "
            "Tell it beside the picture, or look at a test picture."
        )
    wait_for_torch()
    found = _gradients(subject.moment, subject.picture.key, subject)
    layers = _layers(subject, subject.moment)
    st.caption(f"Loss on this picture {found.loss:.4g}, in evaluation mode.")
    _warn(layers)
    st.plotly_chart(gradient_sizes_figure(layers), key="inspect_gradient_sizes")
    layer = choose_layer(subject.plan)
    name = step_named(subject.plan, layer).name
    _of_weights(found, name)
    _of_maps(found, name)
    if st.toggle("Over the training", key="inspect_gradients_over_time"):
        _over_time(subject, name)


def _warn(layers: list[LayerGradient]) -> None:
    from cnnlib.probe.gradients import warnings_about

    for sentence in warnings_about(layers):
        show_warning(sentence)


def _of_weights(found: Gradients, layer: str) -> None:
    gradient = found.weights.get(f"{layer}.weight")
    if gradient is None or gradient.ndim != 4:
        return
    st.header("With respect to the filters")
    norms = np.sqrt((gradient.astype(np.float64) ** 2).sum(axis=(1, 2, 3)))
    rgb = gradient.shape[1] == 3
    tile_grid(
        gradient if rgb else gradient.mean(axis=1),
        key="inspect_weight_gradients",
        title=f"Gradients of the filters of {layer}",
        names=[f"Filter {i}, length {norm:.3g}" for i, norm in enumerate(norms)],
    )
    if gradient.shape[1] not in (1, 3):
        st.caption("Each tile is the mean over the filter's input channels.")


def _of_maps(found: Gradients, layer: str) -> None:
    gradient = found.maps[layer]
    if gradient.ndim != 3:
        return
    st.header("With respect to the feature maps")
    tile_grid(
        gradient,
        key="inspect_map_gradients",
        title=f"Gradients of the maps of {layer}",
        names=[f"Channel {i}" for i in range(len(gradient))],
        silent=np.flatnonzero(np.abs(gradient).max(axis=(1, 2)) == 0),
    )


def _over_time(subject: Subject, layer: str) -> None:
    """All layers, and the distribution of the chosen one, at saved steps."""
    from cnnlib.probe.gradients import steps_within, warnings_over_time

    chosen = steps_within(list(subject.moments), 3 * cost(subject.plan).macs, MOST_MACS_OVER_TIME)
    moments = {step: _layers(subject, subject.moments[step]) for step in chosen}
    if len(chosen) < len(subject.moments):
        st.caption(f"{len(chosen)} of {len(subject.moments)} saved steps, evenly spread.")
    for sentence in warnings_over_time(moments):
        show_warning(sentence)
    st.plotly_chart(gradients_over_time_figure(moments), key="inspect_gradients_time")
    if any(each.layer == layer for each in next(iter(moments.values()))):
        figure = gradient_bands_figure(moments, layer)
        st.plotly_chart(figure, key="inspect_gradients_bands")


def _layers(subject: Subject, moment: SavedStep) -> list[LayerGradient]:
    from cnnlib.probe.gradients import by_layer

    return by_layer(_gradients(moment, subject.picture.key, subject), weights_at(moment))


@st.cache_resource(show_spinner=False, max_entries=64)
def _gradients(moment: SavedStep, picture_key: str, _subject: Subject) -> Gradients:
    from cnnlib.probe.gradients import gradients

    image = normalised(_subject.picture.pixels, _subject.info)
    return gradients(network_at(moment, _subject.run), image, _subject.picture.label or 0)

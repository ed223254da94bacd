"""The gradients panel: gradients of the loss on one picture, by layer and over the training."""

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
from cnnlib.probe.filters import filter_norms, steps_within, warnings_about, warnings_over_time
from cnnlib.probe.graph import step_named
from cnnlib.ui.common.components import tile_grid
from cnnlib.ui.common.messages import show_warning
from cnnlib.ui.common.viewer import gradients, layer_gradients
from cnnlib.ui.inspect.selection import Subject, choose_layer

if TYPE_CHECKING:
    from cnnlib.records.probe import Gradients, LayerGradient
    from cnnlib.ui.common.saved_steps import SavedStep

MOST_MACS_OVER_TIME = 3_000_000_000  # about a second on one thread


def gradients_panel(subject: Subject) -> None:
    """Show gradient sizes per layer with warnings, and the gradients of one layer as pictures."""
    if subject.picture.label is None:
        raise ProbeError(
            "Your picture has no label, and the loss needs the true class. Choose its class next "
            "to the picture, or use a test picture."
        )
    found = gradients(subject.saved_step, subject.picture, subject.info)
    layers = _layers(subject, subject.saved_step)
    st.caption(
        f"Loss on this picture: {found.loss:.4g} (cross-entropy without label smoothing, in "
        "evaluation mode). A gradient shows how the loss changes when a weight or a value changes."
    )
    _show_warnings(layers)
    st.plotly_chart(gradient_sizes_figure(layers), key="inspect_gradient_sizes")
    layer = choose_layer(subject.plan)
    name = step_named(subject.plan, layer).name
    _show_weight_gradients(found, name)
    _show_map_gradients(found, name)
    if st.toggle(
        "During training",
        key="inspect_gradients_over_time",
        help="Shows how the gradients change over the saved steps of the run.",
    ):
        _show_over_time(subject, name)


def _show_warnings(layers: list[LayerGradient]) -> None:
    """Show warnings about vanishing or exploding gradients."""
    for sentence in warnings_about(layers):
        show_warning(sentence)


def _show_weight_gradients(found: Gradients, layer: str) -> None:
    """Show the gradients of a convolution's filters as pictures."""
    gradient = found.weights.get(f"{layer}.weight")
    if gradient is None or gradient.ndim != 4:
        return
    st.header("Gradients of the filters")
    tile_grid(
        gradient if gradient.shape[1] == 3 else gradient.mean(axis=1),
        key="inspect_weight_gradients",
        title=f"Gradients of the filters of {layer}",
        names=[f"Filter {i}, norm {norm:.3g}" for i, norm in enumerate(filter_norms(gradient))],
    )
    if gradient.shape[1] not in (1, 3):
        st.caption("Each picture is the mean over the input channels of a filter.")


def _show_map_gradients(found: Gradients, layer: str) -> None:
    """Show the gradients of a layer's feature maps as pictures."""
    gradient = found.maps[layer]
    if gradient.ndim != 3:
        return
    st.header("Gradients of the feature maps")
    tile_grid(
        gradient,
        key="inspect_map_gradients",
        title=f"Gradients of the feature maps of {layer}",
        names=[f"Channel {i}" for i in range(len(gradient))],
        silent=np.flatnonzero(np.abs(gradient).max(axis=(1, 2)) == 0),
    )


def _show_over_time(subject: Subject, layer: str) -> None:
    """Plot all layers, and the distribution of the chosen one, over saved steps."""
    chosen = steps_within(
        list(subject.saved_steps), 3 * cost(subject.plan).macs, MOST_MACS_OVER_TIME
    )
    layers_at = {step: _layers(subject, subject.saved_steps[step]) for step in chosen}
    if len(chosen) < len(subject.saved_steps):
        st.caption(
            f"Shown: {len(chosen)} of {len(subject.saved_steps)} saved steps, evenly spaced."
        )
    for sentence in warnings_over_time(layers_at):
        show_warning(sentence)
    st.plotly_chart(gradients_over_time_figure(layers_at), key="inspect_gradients_time")
    if any(each.layer == layer for each in next(iter(layers_at.values()))):
        figure = gradient_bands_figure(layers_at, layer)
        st.plotly_chart(figure, key="inspect_gradients_bands")


def _layers(subject: Subject, saved_step: SavedStep) -> list[LayerGradient]:
    """Return the gradients of a saved step by layer."""
    return layer_gradients(saved_step, subject.picture, subject.info)

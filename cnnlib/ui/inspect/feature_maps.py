"""The maps panel: filters and feature maps of a layer, and the arithmetic of one output value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from cnnlib.design.cost import cost
from cnnlib.probe.arithmetic import KINDS, arithmetic
from cnnlib.probe.filters import silent_maps
from cnnlib.probe.graph import step_named
from cnnlib.ui.common.components import Span, tile_grid, window_view
from cnnlib.ui.common.format import describe_answer
from cnnlib.ui.common.saved_steps import SavedStep, probabilities, weights_at
from cnnlib.ui.common.viewer import dead_channels, layer_outputs
from cnnlib.ui.inspect.filters import (
    FilterChoice,
    choose_filters,
    choose_span,
    select_channel,
    shared_span,
    show_filters,
    side_by_side,
)
from cnnlib.ui.inspect.network import network_picture
from cnnlib.ui.inspect.selection import Selection, Subject, choose_layer, middle_and_lens
from cnnlib.units import plural

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

_TILES = ((16, 112), (64, 72), (10**9, 40))  # up to so many maps: side of one, in pixels
MOST_SHOWN = 1024  # features shown of a flat layer
MOST_DEAD_MAP_PICTURES, FEWEST_DEAD_MAP_PICTURES = 200, 20  # tested for dead maps
MOST_DEAD_MAP_MACS = 1_500_000_000  # half a second on one thread


@dataclass(frozen=True)
class MapsLayout:
    """The controls of the maps panel and the containers in which a saved step is drawn.

    Args:
        layer: The canonical name of a layer.
        pinned: A saved step to compare with; None without one.
        filters: How filters are shown; None if the layer has none.
        maps_span: Range of the colours of feature maps: ``"layer"`` or ``"each"``.
        dead_map_pictures: Number of pictures on which a dead map is constant; 0 to mark none.
        network_slot: Container of the unfolded network.
        filters_slot: Container of the filters.
        maps_slot: Container of the feature maps.
        lens: Container of the arithmetic of one output value.
    """

    layer: str
    pinned: SavedStep | None
    filters: FilterChoice | None
    maps_span: str
    dead_map_pictures: int
    network_slot: DeltaGenerator
    filters_slot: DeltaGenerator
    maps_slot: DeltaGenerator
    lens: DeltaGenerator

    @classmethod
    def create(cls, selection: Selection) -> MapsLayout:
        """Show the controls, with empty containers for what a saved step shows."""
        network_slot = st.container()
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            layer = step_named(selection.plan, choose_layer(selection.plan))
            pinned = _choose_pinned(selection)
        middle = lens = st.container()
        if layer.kind in KINDS:
            middle, lens = middle_and_lens()
            lens.header("One output value", anchor=False)
        with middle:
            span, dead_map_pictures = "layer", 0
            if len(layer.out_shape) == 3:
                with _heading_row("Feature maps"):
                    span = choose_span("inspect_maps_span", ["layer", "each"])
                    dead_map_pictures = _choose_dead_map_pictures(selection)
            else:
                st.header("Features", anchor=False)
            maps_slot = st.container()
            choice = None
            if layer.kind == "conv2d":
                with _heading_row("Filters"):
                    choice = choose_filters(selection, layer.name)
            filters_slot = st.container()
        slots = (network_slot, filters_slot, maps_slot, lens)
        return cls(layer.name, pinned, choice, span, dead_map_pictures, *slots)


def _heading_row(text: str) -> DeltaGenerator:
    """Show a heading, and return a row for its controls beside it."""
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    row.header(text, anchor=False, width="content")
    return row


def show_prediction(subject: Subject, slot: DeltaGenerator) -> None:
    """Show the prediction for the picture at the chosen saved step."""
    shares = probabilities(_maps(subject, subject.saved_step)[_last(subject)][0])
    text = describe_answer(shares, subject.info.classes, subject.picture.label)
    slot.markdown(f"At step {subject.saved_step.step:,} the network predicts: {text}")


def show_maps(subject: Subject, layout: MapsLayout) -> None:
    """Show filters, feature maps and arithmetic of the chosen layer, at one or two saved steps."""
    channel = _selected_channel(subject, layout.layer)
    with layout.network_slot:
        network_picture(subject, layout.layer, channel)
    saved_steps = {"now": subject.saved_step}
    if layout.pinned is not None:
        saved_steps = {"pinned": layout.pinned, **saved_steps}
    if layout.filters is not None:
        with layout.filters_slot:
            show_filters(subject, saved_steps, layout.layer, layout.filters, channel)
    with layout.maps_slot:
        _show_layer_maps(subject, saved_steps, layout, channel)
    if step_named(subject.plan, layout.layer).kind in KINDS:
        with layout.lens:
            found, weights = _maps(subject, subject.saved_step), weights_at(subject.saved_step)
            window_view(
                arithmetic(subject.plan, weights, found, layout.layer, channel),
                key="inspect_arithmetic",
            )


def _choose_pinned(selection: Selection) -> SavedStep | None:
    """Show a toggle that pins the current step, and return the pinned one; None without one."""
    key = f"inspect_pin_{selection.run.id}"

    def pin() -> None:
        st.session_state[key] = st.session_state[selection.timeline.key]

    st.toggle(
        "Pin this step",
        key="inspect_pinning",
        help="The pinned step stays on the left, with the same colour scale. Move the slider to "
        "compare another step with it.",
        on_change=pin,
    )
    if not st.session_state["inspect_pinning"]:
        return None
    pinned = st.session_state.get(key, selection.timeline.steps[-1])
    return selection.timeline.nearest_kept(pinned)


def _show_layer_maps(
    subject: Subject, saved_steps: Mapping[str, SavedStep], layout: MapsLayout, channel: int
) -> None:
    """Show the output of the layer for the picture; a flat layer is one row of features."""
    layer = layout.layer
    values = {name: _maps(subject, each)[layer][0] for name, each in saved_steps.items()}
    span = shared_span(layout.maps_span, list(values.values()))
    for column, name in zip(side_by_side(saved_steps), saved_steps, strict=True):
        with column:
            if values[name].ndim == 1:
                _show_features(subject, values[name], layer, span, f"inspect_flat_{name}")
            else:
                dead = _find_dead_maps(subject, saved_steps[name], layout)
                _show_grid(values[name], dead, layer, channel, span, f"inspect_maps_{name}")


def _show_features(
    subject: Subject, values: np.ndarray, layer: str, span: Span | float, key: str
) -> None:
    """Draw the features of a flat layer as one tile each."""
    shown = values[:MOST_SHOWN, None, None]
    if len(shown) < len(values):
        st.caption(f"Shown: the first {len(shown):,} of {len(values):,} features.")
    names = [f"Feature {i}" for i in range(len(shown))]
    if layer == _last(subject):
        names = [f"Score (logit) of {each}" for each in subject.info.classes]
    tile_grid(shown, key=key, title=f"Features of {layer}", names=names, tile=22, span=span)


def _choose_dead_map_pictures(selection: Selection) -> int:
    """Show the toggle for dead maps; return the number of test pictures to use, 0 if off."""
    affordable = MOST_DEAD_MAP_MACS // max(1, cost(selection.plan).macs)
    most = min(MOST_DEAD_MAP_PICTURES, len(selection.prepared.test_labels))
    count = min(most, max(FEWEST_DEAD_MAP_PICTURES, affordable))
    is_on = count > 0 and st.toggle(
        "Mark dead maps",
        key="inspect_dead",
        help="A dead feature map has one constant value on every picture. The first "
        f"{plural(count, 'test picture')} of the dataset are tested.",
    )
    return count if is_on else 0


def _find_dead_maps(subject: Subject, saved_step: SavedStep, layout: MapsLayout) -> np.ndarray:
    """Return the indices of dead channels of the layer; none if the toggle is off."""
    count = layout.dead_map_pictures
    if not count:
        return np.array([], int)
    found = dead_channels(saved_step, count, subject.prepared)[layout.layer]
    dead = np.flatnonzero(found)
    st.caption(
        f"Dead maps: {len(dead)} of {len(found)}. A dead map has the same value on all {count} "
        "tested pictures. Dead maps have a cross (two lines)."
    )
    return dead


def _show_grid(
    values: np.ndarray,
    dead: np.ndarray,
    layer: str,
    channel: int,
    span: Span | float,
    key: str,
) -> None:
    """Draw one tile per channel, with silent and dead ones crossed out."""
    silent = np.flatnonzero(silent_maps(values))
    if len(silent):
        st.caption(
            f"Silent maps on this picture: {len(silent)} of {len(values)}. A silent map has the "
            "same value at every position. Silent maps have one diagonal line."
        )
    tile_grid(
        values,
        key=key,
        title=f"{len(values)} feature maps of {layer}",
        names=[f"Channel {i}" for i in range(len(values))],
        span=span,
        silent=silent,
        dead=dead,
        selected=channel,
        on_pick=lambda tile: select_channel(layer, tile),
        tile=next(side for most, side in _TILES if len(values) <= most),
    )


def _selected_channel(subject: Subject, layer: str) -> int:
    """Return the channel of this layer that was clicked last."""
    count = step_named(subject.plan, layer).out_shape[0]
    return min(st.session_state.get(f"inspect_channel_{layer}", 0), count - 1)


def _maps(subject: Subject, saved_step: SavedStep) -> Mapping[str, np.ndarray]:
    """Return the output of every layer for the picture."""
    return layer_outputs(saved_step, subject.picture, subject.info)


def _last(subject: Subject) -> str:
    """Return the name of the last layer."""
    return subject.plan.layers[-1].name

"""Filters and feature maps of a layer, and one output value number by number."""

from __future__ import annotations

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
from cnnlib.ui.common.network_cache import (
    SavedStep,
    dead_at,
    maps_at,
    probabilities,
    wait_for_torch,
    weights_at,
)
from cnnlib.ui.inspect.filters import (
    FilterChoice,
    choose_channel,
    filter_choice,
    shared_span,
    show_filters,
    side_by_side,
    span_control,
)
from cnnlib.ui.inspect.selection import Scene, Subject, choose_layer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamlit.delta_generator import DeltaGenerator

MOST_SHOWN = 1024  # features of a flat layer
MOST_TRIED, FEWEST_TRIED = 200, 20  # pictures on which a dead map is silent
MOST_MACS_FOR_DEATH = 1_500_000_000  # half a second on one thread


@dataclass(frozen=True)
class MapsPlaces:
    """The chosen layer, how it is shown, and where; what a moment gives is drawn there later.

    Args:
        layer: The canonical name of a step.
        pinned: A moment to compare with; None without one.
        filters: None where the layer has none.
        tried: Pictures on which a map must be silent to be called dead; 0 to call none so.
    """

    layer: str
    pinned: SavedStep | None
    filters: FilterChoice | None
    maps_span: str
    tried: int
    filters_place: DeltaGenerator
    maps_place: DeltaGenerator
    numbers_place: DeltaGenerator

    @classmethod
    def on_page(cls, scene: Scene) -> MapsPlaces:
        """The controls, with empty places between them."""
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            layer = step_named(scene.plan, choose_layer(scene.plan))
            pinned = _pin(scene)
        choice = None
        if layer.kind == "conv2d":
            st.header("Filters")
            choice = filter_choice(scene, layer.name)
        filters_place = st.container()
        span, tried = "layer", 0
        if len(layer.out_shape) == 3:
            st.header("Feature maps")
            with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
                span = span_control("inspect_maps_span", ["layer", "each"])
                tried = _tried_for_death(scene)
        else:
            st.header("Features")
        maps_place = st.container()
        if layer.kind in KINDS:
            st.header("Number by number")
        slots = (filters_place, maps_place, st.container())
        return cls(layer.name, pinned, choice, span, tried, *slots)


def answer(subject: Subject, place: DeltaGenerator) -> None:
    """What the network says about the picture at this moment."""
    shares = probabilities(_maps(subject, subject.moment)[_last(subject)][0])
    said = describe_answer(shares, subject.info.classes, subject.picture.label)
    place.markdown(f"At step {subject.moment.step:,} the network says: {said}")


def show_maps(subject: Subject, places: MapsPlaces) -> None:
    """Filters, feature maps and arithmetic of the chosen layer; two moments beside each other."""
    channel = _channel(subject, places.layer)
    moments = {"now": subject.moment}
    if places.pinned is not None:
        moments = {"pinned": places.pinned, **moments}
    if places.filters is not None:
        with places.filters_place:
            show_filters(subject, moments, places.layer, places.filters, channel)
    with places.maps_place:
        _maps_of(subject, moments, places, channel)
    if step_named(subject.plan, places.layer).kind in KINDS:
        with places.numbers_place:
            found, weights = _maps(subject, subject.moment), weights_at(subject.moment)
            window_view(
                arithmetic(subject.plan, weights, found, places.layer, channel),
                key="inspect_arithmetic",
            )


def _pin(scene: Scene) -> SavedStep | None:
    """A second moment to compare with, where one was pinned."""
    key = f"inspect_pin_{scene.run.id}"

    def pin() -> None:
        st.session_state[key] = st.session_state[scene.timeline.key]

    st.toggle(
        "Pin this moment",
        key="inspect_pinning",
        help="It stays on the left, in the same colours, while the slider moves on.",
        on_change=pin,
    )
    if not st.session_state["inspect_pinning"]:
        return None
    pinned = st.session_state.get(key, scene.timeline.steps[-1])
    return scene.timeline.nearest_kept(pinned)


def _maps_of(
    subject: Subject, moments: Mapping[str, SavedStep], places: MapsPlaces, channel: int
) -> None:
    """What the layer gives for the picture; a flat layer is one row of features."""
    layer = places.layer
    values = {name: _maps(subject, moment)[layer][0] for name, moment in moments.items()}
    span = shared_span(places.maps_span, list(values.values()))
    for column, name in zip(side_by_side(moments), moments, strict=True):
        with column:
            if values[name].ndim == 1:
                _flat(subject, values[name], layer, span, f"inspect_flat_{name}")
            else:
                dead = _dead(subject, moments[name], places)
                _grid_of_maps(values[name], dead, layer, channel, span, f"inspect_maps_{name}")


def _flat(subject: Subject, values: np.ndarray, layer: str, span: Span | float, key: str) -> None:
    shown = values[:MOST_SHOWN, None, None]
    if len(shown) < len(values):
        st.caption(f"The first {len(shown):,} of {len(values):,} features.")
    names = [f"Feature {i}" for i in range(len(shown))]
    if layer == _last(subject):
        names = [f"Score of {each}" for each in subject.info.classes]
    tile_grid(shown, key=key, title=f"Features of {layer}", names=names, tile=22, span=span)


def _tried_for_death(scene: Scene) -> int:
    """How many test pictures a map must be silent on to be called dead; 0 where nobody asks."""
    fit = MOST_MACS_FOR_DEATH // max(1, cost(scene.plan).macs)
    count = min(MOST_TRIED, max(FEWEST_TRIED, fit), len(scene.prepared.test_labels))
    asked = count > 0 and st.toggle(
        "Mark dead maps",
        key="inspect_dead",
        help=f"Those that say the same of each of the first {count} test pictures.",
    )
    return count if asked else 0


def _dead(subject: Subject, moment: SavedStep, places: MapsPlaces) -> np.ndarray:
    """Channels of the layer that are dead; none where nobody asks."""
    if not places.tried:
        return np.array([], int)
    found = dead_at(moment, places.tried, subject.run, subject.prepared)[places.layer]
    dead = np.flatnonzero(found)
    st.caption(
        f"{len(dead)} of {len(found)} maps are dead: they say the same of all {places.tried} "
        "pictures tried. They are crossed out twice."
    )
    return dead


def _grid_of_maps(
    values: np.ndarray,
    dead: np.ndarray,
    layer: str,
    channel: int,
    span: Span | float,
    key: str,
) -> None:
    silent = np.flatnonzero(silent_maps(values))
    if len(silent):
        st.caption(
            f"{len(silent)} of {len(values)} maps are silent on this picture: one value "
            "everywhere. They are crossed out."
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
        on_pick=lambda tile: choose_channel(layer, tile),
        tile=56 if len(values) <= 64 else 36,
    )


def _channel(subject: Subject, layer: str) -> int:
    """The channel that was clicked last in this layer."""
    count = step_named(subject.plan, layer).out_shape[0]
    return min(st.session_state.get(f"inspect_channel_{layer}", 0), count - 1)


def _maps(subject: Subject, moment: SavedStep) -> Mapping[str, np.ndarray]:
    wait_for_torch()
    picture = subject.picture
    return maps_at(moment, picture.key, subject.run, picture, subject.info)


def _last(subject: Subject) -> str:
    return subject.plan.layers[-1].name

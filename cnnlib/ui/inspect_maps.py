"""Filters and feature maps of a layer, and one output value number by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cnnlib.probe.arithmetic import KINDS, arithmetic
from cnnlib.probe.filters import filter_norms, filters, largest_weight, silent_maps
from cnnlib.probe.graph import step_named
from cnnlib.ui.inspect_choice import Scene, Subject, choose_layer
from cnnlib.ui.inspect_parts import Span, tile_grid, window_view
from cnnlib.ui.inspect_source import (
    Moment,
    maps_at,
    probabilities,
    wait_for_torch,
    weights_at,
)
from cnnlib.ui.words import percent

_SPANS = {"layer": "Whole layer", "each": "Each alone", "network": "Whole network"}
MOST_SHOWN = 1024  # features of a flat layer


@dataclass(frozen=True)
class FilterChoice:
    """How filters are shown.

    Args:
        whole: A filter is one picture: it has one input channel, or three colours.
        place: The input channel that is shown of each; None for all kernels of one filter.
    """

    span: str
    largest_first: bool
    whole: bool
    place: int | None


@dataclass(frozen=True)
class MapsPlaces:
    """The chosen layer, how it is shown, and where; what a moment gives is drawn there later.

    Args:
        layer: The canonical name of a step.
        pinned: A moment to compare with; None without one.
        filters: None where the layer has none.
    """

    layer: str
    pinned: Moment | None
    filters: FilterChoice | None
    maps_span: str
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
            st.subheader("Filters")
            choice = _filter_choice(scene, layer.name)
        filters_place = st.container()
        span = "layer"
        if len(layer.out_shape) == 3:
            st.subheader("Feature maps")
            span = _span_control("inspect_maps_span", ["layer", "each"])
        else:
            st.subheader("Features")
        maps_place = st.container()
        if layer.kind in KINDS:
            st.subheader("Number by number")
        return cls(layer.name, pinned, choice, span, filters_place, maps_place, st.container())


def answer(subject: Subject, place: DeltaGenerator) -> None:
    """What the network says about the picture at this moment."""
    shares = probabilities(_maps(subject, subject.moment)[_last(subject)][0])
    best = np.argsort(shares)[::-1][:3]
    said = ", ".join(f"{subject.info.classes[i]} {percent(float(shares[i]))}" for i in best)
    truth = subject.picture.label
    verdict = "" if truth is None else " Right." if best[0] == truth else " Wrong."
    place.markdown(f"At step {subject.moment.step:,} the network says: **{said}**.{verdict}")


def show_maps(subject: Subject, places: MapsPlaces) -> None:
    """Filters, feature maps and arithmetic of the chosen layer; two moments beside each other."""
    channel = _channel(subject, places.layer)
    moments = {"now": subject.moment}
    if places.pinned is not None:
        moments = {"pinned": places.pinned, **moments}
    if places.filters is not None:
        with places.filters_place:
            _filters(subject, moments, places.layer, places.filters, channel)
    with places.maps_place:
        _maps_of(subject, moments, places, channel)
    if step_named(subject.plan, places.layer).kind in KINDS:
        with places.numbers_place:
            found, weights = _maps(subject, subject.moment), weights_at(subject.moment)
            window_view(
                arithmetic(subject.plan, weights, found, places.layer, channel),
                key="inspect_arithmetic",
            )


def _pin(scene: Scene) -> Moment | None:
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
    return scene.timeline.moments.get(pinned)


def _side_by_side(moments: Mapping[str, Moment]) -> Sequence[DeltaGenerator]:
    """A column for each moment, with its step above where there are two."""
    if len(moments) == 1:
        return [st.container()]
    columns = st.columns(len(moments))
    for column, (name, moment) in zip(columns, moments.items(), strict=True):
        column.markdown(f"**Step {moment.step:,}**" + (" (pinned)" if name == "pinned" else ""))
    return columns


def _filter_choice(scene: Scene, layer: str) -> FilterChoice:
    """How the filters of a convolution are shown."""
    depth = _depth(scene, layer)
    whole = depth == 1 or (depth == 3 and layer == _first_conv(scene))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        span = _span_control("inspect_filters_span", list(_SPANS))
        place: int | None = 0
        if not whole:
            if st.toggle("All kernels of the chosen filter", key="inspect_filters_kernels"):
                return FilterChoice(span, False, whole, None)
            key = f"inspect_filters_input_{layer}"
            place = st.number_input("Input channel", 0, depth - 1, key=key, width=140)
        largest_first = st.toggle("Largest first", key="inspect_filters_sorted")
    return FilterChoice(span, largest_first, whole, place)


def _filters(
    subject: Subject,
    moments: Mapping[str, Moment],
    layer: str,
    choice: FilterChoice,
    channel: int,
) -> None:
    """The weights of a convolution as pictures, at one moment or two."""
    found = {name: filters(subject.plan, weights_at(m), layer) for name, m in moments.items()}
    if choice.place is None:
        shown = {name: each[channel] for name, each in found.items()}
    elif choice.whole and next(iter(found.values())).shape[1] == 3:
        shown = found
    else:
        shown = {name: each[:, choice.place] for name, each in found.items()}
    network = [largest_weight(subject.plan, weights_at(each)) for each in moments.values()]
    span = _span(choice.span, list(shown.values()), max(network))
    for column, name in zip(_side_by_side(moments), moments, strict=True):
        with column:
            key = f"inspect_filters_{name}"
            if choice.place is None:
                names = [f"filter {channel}, input channel {i}" for i in range(len(shown[name]))]
                tile_grid(shown[name], key=key, title=f"Filter {channel}", names=names, span=span)
            else:
                _grid_of_filters(found[name], shown[name], layer, choice, channel, span, key)


def _grid_of_filters(
    found: np.ndarray,
    shown: np.ndarray,
    layer: str,
    choice: FilterChoice,
    channel: int,
    span: Span | float,
    key: str,
) -> None:
    norms = filter_norms(found)
    order = np.argsort(-norms, kind="stable") if choice.largest_first else np.arange(len(found))
    tile_grid(
        shown[order],
        key=key,
        title=f"{len(found)} filters of {layer}",
        names=[f"filter {i}, norm {norms[i]:.3g}" for i in order],
        span=span,
        selected=int(np.flatnonzero(order == channel)[0]),
        on_pick=lambda tile: _choose(layer, int(order[tile])),
    )


def _maps_of(
    subject: Subject, moments: Mapping[str, Moment], places: MapsPlaces, channel: int
) -> None:
    """What the layer gives for the picture; a flat layer is one row of features."""
    layer = places.layer
    values = {name: _maps(subject, moment)[layer][0] for name, moment in moments.items()}
    span = _span(places.maps_span, list(values.values()))
    for column, name in zip(_side_by_side(moments), moments, strict=True):
        with column:
            if values[name].ndim == 1:
                _flat(subject, values[name], layer, span, f"inspect_flat_{name}")
            else:
                _grid_of_maps(values[name], layer, channel, span, f"inspect_maps_{name}")


def _flat(subject: Subject, values: np.ndarray, layer: str, span: Span | float, key: str) -> None:
    shown = values[:MOST_SHOWN, None, None]
    if len(shown) < len(values):
        st.caption(f"The first {len(shown):,} of {len(values):,} features.")
    names = [f"feature {i}" for i in range(len(shown))]
    if layer == _last(subject):
        names = [f"score of {each}" for each in subject.info.classes]
    tile_grid(shown, key=key, title=f"Features of {layer}", names=names, tile=22, span=span)


def _grid_of_maps(
    values: np.ndarray, layer: str, channel: int, span: Span | float, key: str
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
        names=[f"channel {i}" for i in range(len(values))],
        span=span,
        silent=silent,
        selected=channel,
        on_pick=lambda tile: _choose(layer, tile),
        tile=56 if len(values) <= 64 else 36,
    )


def _span(chosen: str, shown: Sequence[np.ndarray], network: float = 0.0) -> Span | float:
    """The range of the colours; moments that stand beside each other share it."""
    if chosen == "each":
        return "each"
    if chosen == "network":
        return network
    return max(float(np.abs(np.nan_to_num(each)).max()) for each in shown)


def _span_control(key: str, options: Sequence[str]) -> str:
    return st.segmented_control(
        "Colours span",
        options,
        key=key,
        default="layer",
        required=True,
        format_func=_SPANS.__getitem__,
    )


def _channel(subject: Subject, layer: str) -> int:
    """The channel that was clicked last in this layer."""
    count = step_named(subject.plan, layer).out_shape[0]
    return min(st.session_state.get(f"inspect_channel_{layer}", 0), count - 1)


def _choose(layer: str, channel: int) -> None:
    st.session_state[f"inspect_channel_{layer}"] = channel


def _maps(subject: Subject, moment: Moment) -> Mapping[str, np.ndarray]:
    wait_for_torch()
    picture = subject.picture
    return maps_at(moment, picture.key, subject.run, picture, subject.info)


def _depth(scene: Scene, layer: str) -> int:
    """Input channels of a convolution."""
    return next(leaf.in_channels for leaf in scene.plan.walk() if leaf.name == layer)


def _last(subject: Subject) -> str:
    return subject.plan.layers[-1].name


def _first_conv(scene: Scene) -> str:
    return next((leaf.name for leaf in scene.plan.walk() if leaf.kind == "conv2d"), "")

"""Filters and feature maps of a layer, and one output value number by number."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import streamlit as st

from cnnlib.probe.arithmetic import KINDS, arithmetic
from cnnlib.probe.filters import filter_norms, filters, largest_weight, silent_maps
from cnnlib.probe.graph import step_named
from cnnlib.ui.inspect_choice import Subject, choose_layer
from cnnlib.ui.inspect_parts import tile_grid, window_view
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


def answer(subject: Subject) -> None:
    """What the network says about the picture at this moment."""
    shares = probabilities(_maps(subject, subject.moment)[_last(subject)][0])
    best = np.argsort(shares)[::-1][:3]
    said = ", ".join(f"{subject.info.classes[i]} {percent(float(shares[i]))}" for i in best)
    truth = subject.picture.label
    verdict = "" if truth is None else " Right." if best[0] == truth else " Wrong."
    st.markdown(f"At step {subject.moment.step:,} the network says: **{said}**.{verdict}")


def maps_panel(subject: Subject) -> None:
    """Filters, feature maps and arithmetic of the chosen layer; two moments beside each other."""
    layer = choose_layer(subject.plan)
    pinned = _pin(subject)
    columns = st.columns(2) if pinned else [st.container()]
    moments = [pinned, subject.moment] if pinned else [subject.moment]
    channel = _channel(subject, layer)
    for column, moment, name in zip(columns, moments, ("pinned", "now"), strict=False):
        with column:
            if pinned:
                st.markdown(f"**Step {moment.step:,}**" + (" (pinned)" if name == "pinned" else ""))
            _filters(subject, moment, layer, channel, key=f"inspect_filters_{name}")
            _maps_of(subject, moment, layer, channel, key=f"inspect_maps_{name}")
    if step_named(subject.plan, layer).kind in KINDS:
        st.subheader("Number by number")
        found = _maps(subject, subject.moment)
        weights = weights_at(subject.moment)
        window_view(
            arithmetic(subject.plan, weights, found, layer, channel), key="inspect_arithmetic"
        )


def _pin(subject: Subject) -> Moment | None:
    """A second moment to compare with, where one was pinned."""
    key = f"inspect_pin_{subject.run.id}"
    st.toggle(
        "Compare with a pinned moment",
        key="inspect_pinning",
        help="The step that is shown now stays on the left while the slider moves on.",
        on_change=lambda: st.session_state.update({key: subject.moment.step}),
    )
    if not st.session_state["inspect_pinning"]:
        return None
    return subject.steps.get(st.session_state.get(key, -1), subject.moment)


def _filters(subject: Subject, moment: Moment, layer: str, channel: int, key: str) -> None:
    """The weights of a convolution as pictures; nothing where the layer has none."""
    if step_named(subject.plan, layer).kind != "conv2d":
        return
    weights = weights_at(moment)
    found = filters(subject.plan, weights, layer)
    st.subheader("Filters")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        span = _span_control(f"{key}_span")
        by_norm = st.toggle("Largest first", key=f"{key}_sorted")
        whole = found.shape[1] == 1 or (found.shape[1] == 3 and layer == _first_conv(subject))
        kernels = not whole and st.toggle("All kernels of the chosen filter", key=f"{key}_kernels")
        place = 0
        if not whole and not kernels:
            place = st.number_input(
                "Input channel", 0, found.shape[1] - 1, key=f"{key}_input_{layer}", width=140
            )
    limit = largest_weight(subject.plan, weights) if span == "network" else _LIMITS[span]
    if kernels:
        names = [f"filter {channel}, input channel {i}" for i in range(found.shape[1])]
        tile_grid(
            found[channel], key=f"{key}_of_one", title=f"Filter {channel}", names=names, span=limit
        )
        return
    norms = filter_norms(found)
    order = np.argsort(-norms, kind="stable") if by_norm else np.arange(len(found))
    tiles = found if found.shape[1] == 3 and whole else found[:, place]
    tile_grid(
        tiles[order],
        key=f"{key}_grid",
        title=f"{len(found)} filters of {layer}",
        names=[f"filter {i}, norm {norms[i]:.3g}" for i in order],
        span=limit,
        selected=int(np.flatnonzero(order == channel)[0]),
        on_pick=lambda tile: _choose(layer, int(order[tile])),
    )


def _maps_of(subject: Subject, moment: Moment, layer: str, channel: int, key: str) -> None:
    """What the layer gives for the picture; a flat layer is one row of features."""
    name = step_named(subject.plan, layer).name
    values = _maps(subject, moment)[name][0]
    st.subheader("Feature maps" if values.ndim == 3 else "Features")
    if values.ndim == 1:
        shown = values[:MOST_SHOWN, None, None]
        names = [f"feature {i}" for i in range(len(shown))]
        if name == _last(subject):
            names = [f"score of {each}" for each in subject.info.classes]
        tile_grid(shown, key=f"{key}_flat", title=f"Features of {layer}", names=names, tile=22)
        return
    silent = np.flatnonzero(silent_maps(values))
    if len(silent):
        st.caption(
            f"{len(silent)} of {len(values)} maps are silent on this picture: one value "
            "everywhere. They are crossed out."
        )
    span = st.segmented_control(
        "Colours span",
        ["layer", "each"],
        key=f"{key}_span",
        default="layer",
        required=True,
        format_func=_SPANS.__getitem__,
    )
    tile_grid(
        values,
        key=f"{key}_grid",
        title=f"{len(values)} feature maps of {layer}",
        names=[f"channel {i}" for i in range(len(values))],
        span=_LIMITS[span],
        silent=silent,
        selected=channel,
        on_pick=lambda tile: _choose(layer, tile),
        tile=56 if len(values) <= 64 else 36,
    )


_LIMITS = {"layer": "together", "each": "each"}


def _span_control(key: str) -> str:
    return st.segmented_control(
        "Colours span",
        list(_SPANS),
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


def _last(subject: Subject) -> str:
    return subject.plan.layers[-1].name


def _first_conv(subject: Subject) -> str:
    return next((leaf.name for leaf in subject.plan.walk() if leaf.kind == "conv2d"), "")

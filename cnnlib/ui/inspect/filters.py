"""Filters of a convolution as pictures, at one moment or two; and what maps share with them."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from cnnlib.design.layers import Conv2d
from cnnlib.probe.filters import filter_norms, filters, largest_weight
from cnnlib.ui.common.components import Span, tile_grid
from cnnlib.ui.common.network_cache import SavedStep, weights_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cnnlib.ui.inspect.selection import Scene, Subject

_SPANS = {"layer": "Whole layer", "each": "Each alone", "network": "Whole network"}


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


def filter_choice(scene: Scene, layer: str) -> FilterChoice:
    """How the filters of a convolution are shown."""
    depth = _depth(scene, layer)
    whole = depth == 1 or (depth == 3 and layer == _first_conv(scene))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        span = span_control("inspect_filters_span", list(_SPANS))
        place: int | None = 0
        if not whole:
            if st.toggle("All kernels of the chosen filter", key="inspect_filters_kernels"):
                return FilterChoice(span, False, whole, None)
            key = f"inspect_filters_input_{layer}"
            place = st.number_input("Input channel", 0, depth - 1, key=key, width=140)
        largest_first = st.toggle("Largest first", key="inspect_filters_sorted")
    return FilterChoice(span, largest_first, whole, place)


def show_filters(
    subject: Subject,
    moments: Mapping[str, SavedStep],
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
    span: Span | float
    if choice.span == "network":
        span = max(largest_weight(subject.plan, weights_at(each)) for each in moments.values())
    else:
        span = shared_span(choice.span, list(found.values()))
    for column, name in zip(side_by_side(moments), moments, strict=True):
        with column:
            key = f"inspect_filters_{name}"
            if choice.place is None:
                names = [f"Filter {channel}, input channel {i}" for i in range(len(shown[name]))]
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
        names=[f"Filter {i}, norm {norms[i]:.3g}" for i in order],
        span=span,
        selected=int(np.flatnonzero(order == channel)[0]),
        on_pick=lambda tile: choose_channel(layer, int(order[tile])),
    )


def side_by_side(moments: Mapping[str, SavedStep]) -> Sequence[AbstractContextManager[Any]]:
    """A column for each moment, with its step above where there are two."""
    if len(moments) == 1:
        return [nullcontext()]
    columns = st.columns(len(moments))
    for column, (name, moment) in zip(columns, moments.items(), strict=True):
        column.markdown(f"**Step {moment.step:,}**" + (" (pinned)" if name == "pinned" else ""))
    return columns


def shared_span(chosen: str, values: Sequence[np.ndarray]) -> Span | float:
    """The range of the colours; moments that stand beside each other share that of the layer."""
    if chosen == "each":
        return "each"
    finite = (np.nan_to_num(each, posinf=0, neginf=0) for each in values)
    return max(float(np.abs(each).max()) for each in finite)


def span_control(key: str, options: Sequence[str]) -> str:
    return st.segmented_control(
        "Colours span",
        options,
        key=key,
        default="layer",
        required=True,
        format_func=_SPANS.__getitem__,
    )


def choose_channel(layer: str, channel: int) -> None:
    st.session_state[f"inspect_channel_{layer}"] = channel


def _depth(scene: Scene, layer: str) -> int:
    """Input channels of a convolution."""
    convolutions = (leaf for leaf in scene.plan.walk() if isinstance(leaf, Conv2d))
    return next(leaf.in_channels for leaf in convolutions if leaf.name == layer)


def _first_conv(scene: Scene) -> str:
    return next((leaf.name for leaf in scene.plan.walk() if leaf.kind == "conv2d"), "")

"""Filters of a convolution as pictures, at one or two saved steps; helpers for feature maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from cnnlib.design.layers import Conv2d
from cnnlib.probe.filters import filter_norms, filters, largest_weight
from cnnlib.ui.common.components import Span, tile_grid
from cnnlib.ui.common.saved_steps import SavedStep, weights_at

if TYPE_CHECKING:
    from cnnlib.ui.inspect.selection import Selection, Subject

_SPANS = {"layer": "Whole layer", "each": "Each picture", "network": "Whole network"}


@dataclass(frozen=True)
class FilterChoice:
    """How filters are shown.

    Args:
        span: Range of the colours: a key of `_SPANS`.
        largest_first: Whether to sort filters by their norm.
        whole: Whether a filter is one picture: it has one input channel, or three colours.
        input_channel: The channel shown of each filter; None for all kernels of one filter.
    """

    span: str
    largest_first: bool
    whole: bool
    input_channel: int | None


def choose_filters(selection: Selection, layer: str) -> FilterChoice:
    """Show the controls for the filters of a convolution, and return their values."""
    depth = _depth(selection, layer)
    whole = depth == 1 or (depth == 3 and layer == _first_conv(selection))
    span = choose_span("inspect_filters_span", list(_SPANS))
    input_channel: int | None = 0
    if not whole:
        if st.toggle(
            "All kernels of the chosen filter",
            key="inspect_filters_kernels",
            help="A filter has one kernel (a slice of its weights) for each input channel. "
            "Click a filter to choose it.",
        ):
            return FilterChoice(span, False, whole, None)
        input_channel = st.number_input(
            "Input channel",
            0,
            depth - 1,
            key=f"inspect_filters_input_{layer}",
            width=140,
            help="The kernel for this input channel is shown of each filter.",
        )
    largest_first = st.toggle(
        "Largest first",
        key="inspect_filters_sorted",
        help="Sorts the filters by their norm: the square root of the sum of all squared weights.",
    )
    return FilterChoice(span, largest_first, whole, input_channel)


def show_filters(
    subject: Subject,
    saved_steps: Mapping[str, SavedStep],
    layer: str,
    choice: FilterChoice,
    channel: int,
) -> None:
    """Show the weights of a convolution as pictures, at one or two saved steps."""
    found = {
        name: filters(subject.plan, weights_at(each), layer) for name, each in saved_steps.items()
    }
    if choice.input_channel is None:
        shown = {name: each[channel] for name, each in found.items()}
    elif choice.whole and next(iter(found.values())).shape[1] == 3:
        shown = found
    else:
        shown = {name: each[:, choice.input_channel] for name, each in found.items()}
    span: Span | float
    if choice.span == "network":
        span = max(largest_weight(subject.plan, weights_at(each)) for each in saved_steps.values())
    else:
        span = shared_span(choice.span, list(found.values()))
    for column, name in zip(side_by_side(saved_steps), saved_steps, strict=True):
        with column:
            key = f"inspect_filters_{name}"
            if choice.input_channel is None:
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
    """Draw one tile per filter; a click chooses its channel."""
    norms = filter_norms(found)
    order = np.argsort(-norms, kind="stable") if choice.largest_first else np.arange(len(found))
    tile_grid(
        shown[order],
        key=key,
        title=f"{len(found)} filters of {layer}",
        names=[f"Filter {i}, norm {norms[i]:.3g}" for i in order],
        span=span,
        selected=int(np.flatnonzero(order == channel)[0]),
        on_pick=lambda tile: select_channel(layer, int(order[tile])),
    )


def side_by_side(saved_steps: Mapping[str, SavedStep]) -> Sequence[AbstractContextManager[Any]]:
    """Return a column per saved step, each with a heading if there are two."""
    if len(saved_steps) == 1:
        return [nullcontext()]
    columns = st.columns(len(saved_steps))
    for column, (name, saved_step) in zip(columns, saved_steps.items(), strict=True):
        column.markdown(f"**Step {saved_step.step:,}**" + (" (pinned)" if name == "pinned" else ""))
    return columns


def shared_span(chosen: str, values: Sequence[np.ndarray]) -> Span | float:
    """Return the range of the colours; grids side by side share the range of the layer."""
    if chosen == "each":
        return "each"
    finite = (np.nan_to_num(each, posinf=0, neginf=0) for each in values)
    return max(float(np.abs(each).max()) for each in finite)


def choose_span(key: str, options: Sequence[str]) -> str:
    """Show a control for the range of the colours, and return a key of `_SPANS`."""
    return st.segmented_control(
        "Colour scale",
        options,
        key=key,
        default="layer",
        required=True,
        format_func=_SPANS.__getitem__,
        wrap=True,
        help="The values to which the strongest colour belongs: the largest absolute value of the "
        "whole layer, of each picture on its own, or of all convolutions of the network.",
    )


def select_channel(layer: str, channel: int) -> None:
    """Store the chosen channel of a layer in the session."""
    st.session_state[f"inspect_channel_{layer}"] = channel


def _depth(selection: Selection, layer: str) -> int:
    """Return the number of input channels of a convolution."""
    convolutions = (leaf for leaf in selection.plan.walk() if isinstance(leaf, Conv2d))
    return next(leaf.in_channels for leaf in convolutions if leaf.name == layer)


def _first_conv(selection: Selection) -> str:
    """Return the name of the first convolution; "" without one."""
    return next((leaf.name for leaf in selection.plan.walk() if leaf.kind == "conv2d"), "")

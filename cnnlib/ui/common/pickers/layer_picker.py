"""The layer picker: a menu of layers of a network."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnnlib.design.plan import Plan
from cnnlib.probe.graph import steps
from cnnlib.ui.common.format import size

_KIND_LABELS = {
    "conv2d": "convolution",
    "norm": "normalisation",
    "pool": "pooling",
    "global_avg_pool": "global average pooling",
    "sum": "sum of the skip connection",
}


def layer_menu(planned: Plan, names: Sequence[str], first: str, *, key: str) -> str:
    """Show a menu of layers with their kinds and shapes, and return the chosen name.

    Args:
        names: The options.
        first: The initial choice, if it is among the options.
    """
    by_name = {step.name: step for step in steps(planned)}
    if st.session_state.get(key) not in names:
        st.session_state[key] = first if first in names else names[0]

    def label(name: str) -> str:
        step = by_name[name]
        kind = _KIND_LABELS.get(step.kind, step.kind.replace("_", " "))
        return f"{name} ({kind}, {size(step.out_shape)})"

    return st.selectbox(
        "Layer",
        names,
        key=key,
        format_func=label,
        help="In brackets: the kind of the layer, and the shape of its output (channels × height × "
        "width, or the number of features).",
    )

"""The layer picker: a menu of layers of a network."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnnlib.design.layer_words import start_with
from cnnlib.design.plan import Plan
from cnnlib.probe.graph import steps
from cnnlib.ui.common.format import distinct, size


def layer_menu(planned: Plan, names: Sequence[str], first: str, *, key: str) -> str:
    """Show a menu of layers in words, with their shapes, and return the chosen name.

    Args:
        names: The options.
        first: The initial choice, if it is among the options.
    """
    by_name = {step.name: step for step in steps(planned)}
    if st.session_state.get(key) not in names:
        st.session_state[key] = first if first in names else names[0]

    titles = distinct(
        {
            name: f"{start_with(name).removeprefix('The ').capitalize()} "
            f"({size(by_name[name].out_shape)})"
            for name in names
        }
    )
    return st.selectbox(
        "Layer",
        names,
        names.index(st.session_state[key]),
        key=key,
        format_func=titles.__getitem__,
        help="In brackets: the shape of its output (channels × height × width, or the number of "
        "features).",
    )

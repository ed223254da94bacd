"""The pictures of the design and of the pinned one; a click on a layer opens its settings."""

from __future__ import annotations

from typing import Any

import streamlit as st

from cnnlib.design.cost import Cost
from cnnlib.design.plan import Plan
from cnnlib.design.plan import plan as plan_spec
from cnnlib.figures.architecture_svg import architecture_svg
from cnnlib.figures.labels import describe_design
from cnnlib.ui.build.controls import GROUPS
from cnnlib.ui.build.cost_numbers import cost_text
from cnnlib.ui.build.layer_controls import control_of
from cnnlib.ui.build.session import current_state
from cnnlib.ui.build.widget_sync import count_callback
from cnnlib.ui.common.browser_component import Component

_MARKED = "build_marked"  # name of the layer that was clicked last
_OPENED = "build_opened"  # the control to show once
_COUNT = "build_clicks"
# Width and height of the tallest block: the browser shows the widest that has room.
_SIZES = ((860, 150), (560, 120), (350, 56))
_TINTS = {"": "Kind", "params": "Parameters", "macs": "MACs"}


def pictures(plan: Plan, cost: Cost) -> None:
    """Show the design, and below it the pinned one if there is one."""
    opened = st.session_state.pop(_OPENED, None)
    common = {"tint": st.session_state.get("build_tint", "")}
    _picture(
        key="build_picture",
        data={
            **common,
            "sizes": _draw_sizes(plan, fold=st.session_state.get("build_fold", True)),
            "words": cost_text(cost),
            "marked": marked_layer(),
            "opened": opened,
            "clicks": st.session_state.get(_COUNT, 0),
        },
        on_layer_change=lambda: _open_layer(plan),
    )
    with st.container(horizontal=True, vertical_alignment="center", key="build_view"):
        st.segmented_control(
            "Colour by",
            list(_TINTS),
            default="",
            required=True,
            format_func=_TINTS.__getitem__,
            key="build_tint",
            label_visibility="collapsed",
            on_change=count_callback,
            help="What the colours of the layers show.",
        )
        fold = st.toggle(
            "Fold repeats",
            value=True,
            key="build_fold",
            on_change=count_callback,
            help="Show equal neighbours as one where there is no room for all.",
        )
    if design := current_state().pinned:
        sizes = _draw_sizes(plan_spec(design), fold=fold)
        title = f"Pinned: {describe_design(design)}. Differences are relative to it."
        _picture(key="build_pinned_picture", data={**common, "sizes": sizes, "title": title})


def _draw_sizes(plan: Plan, *, fold: bool) -> list[dict[str, Any]]:
    """Draw a plan for each width; without folds once, to be scrolled."""
    sizes = _SIZES if fold else _SIZES[:1]
    return [
        {"width": width, "svg": architecture_svg(plan, width=width, face=face, fold=fold)}
        for width, face in sizes
    ]


def marked_layer() -> str:
    """The layer that was clicked last; "" for none."""
    return st.session_state.get(_MARKED, "")


def mark_layer(name: str) -> None:
    """Mark a layer in the picture and in the table."""
    st.session_state[_MARKED] = name


def _open_layer(plan: Plan) -> None:
    """Callback of the picture: mark the row of a layer, and open the control that sets it."""
    count_callback()
    name = st.session_state.build_picture.layer
    control = control_of(plan, name)
    mark_layer(name)
    st.session_state[_OPENED] = f"build_{control}"
    st.session_state[_COUNT] = st.session_state.get(_COUNT, 0) + 1
    st.session_state.build_panel = "Layers"
    for group, controls in GROUPS.items():
        if control in [each.name for each in controls]:
            st.session_state.build_group = group


_picture = Component("network_picture", "build/picture.js")

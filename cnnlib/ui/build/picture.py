"""The design with its numbers, and the pinned one; a click on a layer opens its settings."""

from __future__ import annotations

import streamlit as st

from cnnlib.design.cost import Cost
from cnnlib.design.plan import Plan
from cnnlib.design.plan import plan as plan_spec
from cnnlib.figures.labels import describe_design
from cnnlib.ui.build.controls import CONTROLS, GROUPS
from cnnlib.ui.build.layer_controls import control_of
from cnnlib.ui.build.preview import main_numbers, pictures_of, slider_request
from cnnlib.ui.build.session import current_state
from cnnlib.ui.build.widget_sync import count_callback
from cnnlib.ui.common.browser_component import Component
from cnnlib.ui.common.urls import PREVIEW_ADDRESS, at_root

_MARKED = "build_marked"  # name of the layer that was clicked last
_OPENED = "build_opened"  # the control to show once
_COUNT = "build_clicks"
# Key of a slider, one more for values above its range -> name of the control.
_SLIDERS = {
    f"build_{control.name}{wide}": control.name
    for control in CONTROLS.values()
    if control.kind == "slider"
    for wide in ("", "_wide")
}
_TINTS = {"": "Kind", "params": "Parameters", "macs": "MACs"}


def pictures(plan: Plan, cost: Cost) -> None:
    """Show the design, and below it the pinned one if there is one."""
    opened = st.session_state.pop(_OPENED, None)
    common = {"tint": st.session_state.get("build_tint", "")}
    state = current_state()
    fold: bool = st.session_state.get("build_fold", True)
    _picture(
        key="build_picture",
        data={
            **common,
            "sizes": pictures_of(plan, fold),
            "numbers": main_numbers(cost, state.pinned_cost()),
            "preview": {
                "address": at_root(PREVIEW_ADDRESS),
                "request": slider_request(state, fold),
                "sliders": _SLIDERS,
            },
            "is_earlier": plan.spec != state.draft.spec,
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
        st.toggle(
            "Fold repeats",
            value=True,
            key="build_fold",
            on_change=count_callback,
            help="Show equal neighbours as one where there is no room for all.",
        )
    if design := state.pinned:
        sizes = pictures_of(plan_spec(design), fold)
        title = f"Pinned: {describe_design(design)}. Differences are relative to it."
        _picture(key="build_pinned_picture", data={**common, "sizes": sizes, "title": title})


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

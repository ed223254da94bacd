"""The unfolded network of the maps tab, which chooses layer and channel."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.design.columns import Column, columns, planned_design
from cnnlib.probe.graph import steps
from cnnlib.ui.common.browser_component import Component
from cnnlib.ui.common.urls import MAPS_ADDRESS, at_root
from cnnlib.ui.inspect.filters import select_channel

if TYPE_CHECKING:
    from cnnlib.design.plan import Plan
    from cnnlib.ui.inspect.selection import Subject

# The layers of a column that are chosen with it, the preferred kind first.
_CHOSEN = ("sum", "conv2d", "linear", "global_avg_pool")
_KEY = "inspect_network"

_network = Component("saved_network", "inspect/network.bundle.js")


def network_picture(subject: Subject, layer: str, channel: int) -> None:
    """Show the network with the maps of the picture; a click on a map chooses it."""
    found = columns(subject.plan)

    def choose() -> None:
        column, number = st.session_state[_KEY]["chosen"]
        chosen = layer_of(subject.plan, found[column])
        st.session_state["inspect_layer"] = chosen
        select_channel(chosen, number)
        st.rerun()  # the whole page: the menu of layers is outside of this fragment

    _network(key=_KEY, data=_data(subject, found, layer, channel), on_chosen_change=choose)


def layer_of(plan: Plan, column: Column) -> str:
    """Return the layer that stands for a column: its convolution, or the sum of its block."""
    members = [step for step in steps(plan) if _holds(column, step.name)]
    found = [step for kind in _CHOSEN for step in members if step.kind == kind]
    return found[0].name


def _holds(column: Column, layer: str) -> bool:
    """Return whether a layer, which may be part of a block, belongs to a column."""
    return any(layer == each or layer.startswith(f"{each}.") for each in column.layers)


def _data(subject: Subject, found: tuple[Column, ...], layer: str, channel: int) -> dict[str, Any]:
    source, picture = subject.saved_step.source, subject.picture
    place = next(place for place, column in enumerate(found) if _holds(column, layer))
    is_there = channel < found[place].shape[0]  # a flattening has more outputs than its column
    return {
        "api": {"maps": at_root(MAPS_ADDRESS)},
        "plan": planned_design(subject.plan.spec),
        "run": {"id": subject.run.id},
        "seed": 0,
        "dataset": {
            "name": subject.info.name,
            "classes": list(subject.info.classes),
            "in_size": list(subject.info.in_size),
            "validation_count": 0,
        },
        "saved": {
            "weights": f"{source.weights.name}@{source.written}" if source.weights else None,
            "pixels": base64.b64encode(picture.pixels.tobytes()).decode(),
            "label": picture.label,
        },
        "chosen": [place, channel] if is_there else None,
    }

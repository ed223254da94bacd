"""The Lab as a browser component: one screen that shapes, trains and shows a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.ui.common.urls import LOADER, script

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_lab = st.components.v2.component("cnnlab_lab", js=LOADER)


def lab(data: Mapping[str, Any], key: str, act: Callable[[Sequence[Any]], None]) -> None:
    """Show the Lab.

    It is mounted once: a rerun passes new data to what is on the screen.

    Args:
        data: What it shows (see `cnnlib.ui.lab.page`); the address of its script is added here.
        act: Called before the page reruns, with what the person did, ``{"kind": "play", "number":
            7}``; an action comes again as long as ``done`` of the data is below its number.
    """

    def on_action() -> None:
        match (st.session_state.get(key) or {}).get("action"):  # none on a page just left
            case {"actions": [*actions]}:
                act(actions)

    sent = {"script": script("lab/lab.bundle.js"), **data}
    _lab(key=key, data=sent, on_action_change=on_action)

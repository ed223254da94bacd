"""The Lab as a browser component: one screen that shapes, trains and shows a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.ui.common.urls import LOADER, script

if TYPE_CHECKING:
    from collections.abc import Mapping

_lab = st.components.v2.component("cnnlab_lab", js=LOADER)


def lab(data: Mapping[str, Any], key: str) -> dict[str, Any] | None:
    """Show the Lab.

    It is mounted once: a rerun passes new data to what is on the screen.

    Args:
        data: What it shows (see `cnnlib.ui.lab.page`); the address of its script is added here.

    Returns:
        What the person did in this rerun, such as ``{"kind": "play"}``; None if nothing.
    """
    sent = {"script": script("lab/lab.js"), "styles": script("lab/lab.css"), **data}
    result = _lab(key=key, data=sent, on_action_change=lambda: None)
    action = result.get("action")
    return action if isinstance(action, dict) and isinstance(action.get("kind"), str) else None

"""Build: describe a network, see its size before training it."""

from __future__ import annotations

import streamlit as st

from cnnlib.ui.build.form import known_datasets, spec_form
from cnnlib.ui.build.session import close_desk, notice, open_desk
from cnnlib.ui.build.view import (
    network_picture,
    numbers,
    panels,
    planned,
    priced,
    toolbar,
    training_settings,
)
from cnnlib.ui.common.messages import show_warning
from cnnlib.ui.common.shared import folders


def show() -> None:
    """Show the page."""
    infos = known_datasets(folders())
    open_desk(infos)
    with st.container(horizontal=True, vertical_alignment="center", key="build_title"):
        st.title("Build")
        toolbar()
    with st.container(key="build_sides"):
        form, view = st.columns([2, 5], gap="large")
    with view:
        with st.container(key="build_said"):
            if sentence := notice():
                show_warning(sentence, ":material/link_off:")
            found = planned()
        costs = priced(found)
        network_picture(found, costs, key="build_picture")
        numbers(found, costs)
        panels(found, costs)
    with form:
        spec_form(infos)
        training_settings()
    close_desk(infos)

"""Build page: design a network and see its cost before training it."""

from __future__ import annotations

import streamlit as st

from cnnlib.ui.build.form import known_datasets, spec_form
from cnnlib.ui.build.session import sync_from_address, sync_to_address, take_notice
from cnnlib.ui.build.view import (
    compute_cost,
    network_picture,
    numbers,
    panels,
    plan_draft,
    toolbar,
    training_settings,
)
from cnnlib.ui.common.messages import show_warning
from cnnlib.ui.common.shared import available_datasets, folders


def show() -> None:
    """Show the page."""
    infos = available_datasets(known_datasets(folders()))
    sync_from_address(infos)
    with st.container(horizontal=True, vertical_alignment="center", key="build_title"):
        st.title("Build")
        toolbar()
    with st.container(key="build_sides"):
        form, view = st.columns([2, 5], gap="large")
    with view:
        with st.container(key="build_messages"):
            if sentence := take_notice():
                show_warning(sentence, ":material/link_off:")
            plan = plan_draft()
        cost = compute_cost(plan)
        network_picture(plan, cost, key="build_picture")
        numbers(plan, cost)
        panels(plan, cost)
    with form:
        spec_form(infos)
        training_settings()
    sync_to_address(infos)

"""Home page: an introduction, one button that trains a network, and the latest runs."""

from __future__ import annotations

import streamlit as st

from cnnlib.design.presets import preset
from cnnlib.ui.common.defaults import default_dataset, default_request, starter_datasets
from cnnlib.ui.common.format import describe_recipe, escape_markdown
from cnnlib.ui.common.shared import folders, run_store
from cnnlib.ui.common.submit import submit_or_show_error
from cnnlib.ui.common.urls import BUILD, RESULTS, TRAIN
from cnnlib.ui.lab.run_list import run_list

RECENT = 6


def show() -> None:
    """Show the page."""
    st.title("CNN Lab")
    st.markdown(
        "Design a convolutional neural network (CNN), and watch it learn from real pictures on "
        "this computer. Then compare accuracy and cost of your designs."
    )
    info = default_dataset(starter_datasets(folders()))
    request = default_request(info)
    with st.container(horizontal=True, vertical_alignment="center"):
        label = f"Train a network on {escape_markdown(info.title)}"
        pressed = st.button(label, type="primary", icon=":material/play_arrow:", key="home_train")
        st.page_link(BUILD, label="Design your own", icon=":material/layers:")
    if pressed and (run_ids := submit_or_show_error(request)):
        st.switch_page(TRAIN, query_params={"run": run_ids})
    st.caption(
        f"Network: {preset(request.preset).title}. Dataset: {info.train_count:,} training "
        f"pictures, {len(info.classes)} classes. Recipe: {describe_recipe(request.recipe)}."
    )
    st.header("Latest runs")
    runs = run_store().runs(limit=RECENT)
    if not runs:
        st.caption(
            "There are no runs yet. Runs that you start here or on the command line are listed "
            "here."
        )
        st.stop()
    run_list(runs)
    st.page_link(RESULTS, label="All results", icon=":material/arrow_forward:")

"""The Inspect page: the inside of a network at any saved step of its training."""

from __future__ import annotations

import streamlit as st

from cnnlib.ui.common.shared import run_store
from cnnlib.ui.common.urls import TRAIN
from cnnlib.ui.inspect.panels import inspect_run


def show() -> None:
    """Show the page."""
    st.title("Inspect")
    runs = run_store().runs()
    if not runs:
        st.write(
            "No run yet. Train a network first. Then you can see its filters and feature maps here."
        )
        st.page_link(TRAIN, label="Train a network", icon=":material/arrow_forward:")
        st.stop()
    inspect_run(runs)

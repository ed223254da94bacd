"""The Draw page: a drawing pad, the prepared input and the predictions of networks."""

from __future__ import annotations

import streamlit as st

from cnnlib.ui.common.messages import fragment
from cnnlib.ui.draw.networks import show_training_button, trained_runs
from cnnlib.ui.draw.view import drawing_section


def show() -> None:
    """Show the page."""
    st.title("Draw")
    runs = trained_runs()
    if not runs:
        show_training_button()
        st.stop()
    fragment(drawing_section)(runs)

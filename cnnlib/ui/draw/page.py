"""Draw: a digit drawn with the mouse, what networks see of it, and what they say."""

from __future__ import annotations

import streamlit as st

from cnnlib.ui.common.messages import fragment
from cnnlib.ui.draw.networks import offer_training, trained_runs
from cnnlib.ui.draw.view import drawing_desk


def show() -> None:
    """Show the page."""
    st.title("Draw")
    runs = trained_runs()
    if not runs:
        offer_training()
        st.stop()
    fragment(drawing_desk)(runs)

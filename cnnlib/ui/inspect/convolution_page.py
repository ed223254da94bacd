"""The Convolution page: the arithmetic of one convolution on a picture."""

from __future__ import annotations

import streamlit as st

from cnnlib.ui.inspect.convolution import playground


def show() -> None:
    """Show the page."""
    st.title("Convolution")
    st.caption(
        "Each pixel of the output is a sum of products: the window on the picture, times the "
        "kernel. Move over the output to move the window."
    )
    playground()

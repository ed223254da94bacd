"""The Convolution page: the arithmetic of one convolution on a picture."""

from __future__ import annotations

import streamlit as st

from cnnlib.ui.inspect.convolution import playground


def show() -> None:
    """Show the page."""
    st.title("Convolution")
    st.caption(
        "A convolution moves a window over the picture. Each output value is the sum of the pixels "
        "in the window times the numbers of the kernel. Move the pointer over the output to move "
        "the window."
    )
    playground()

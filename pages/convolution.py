"""Convolution: slide a kernel over a picture, and see every number of it."""

import streamlit as st

from cnnlib.ui.inspect.convolution import playground

st.title("Convolution")
st.caption(
    "Each pixel of the output is a sum of products: the window on the picture, times the kernel. "
    "Move over the output to move the window."
)
playground()

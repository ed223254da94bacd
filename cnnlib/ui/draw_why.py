"""From a drawing to the page that looks inside a network: it finds the drawing there."""

from __future__ import annotations

import numpy as np
import streamlit as st

from cnnlib.ui.common.urls import INSPECT
from cnnlib.ui.draw.networks import Reader

_DRAWN = "inspect_drawing"  # the picture as the network saw it: C x H x W, uint8


def why(reader: Reader, picture: np.ndarray) -> None:
    """A button that opens the inspection page with this network and this drawing."""
    if st.button(
        "Why? Look inside",
        icon=":material/search:",
        key="draw_why",
        help="Feature maps, and which pixels spoke for the answer.",
    ):
        st.session_state[_DRAWN] = picture
        st.switch_page(INSPECT, query_params={"run": reader.run.id})


def brought_drawing(in_size: tuple[int, int, int]) -> np.ndarray | None:
    """The drawing that this session brought along: C x H x W, uint8.

    None without one, or where it does not fit a network's input.
    """
    pixels = st.session_state.get(_DRAWN)
    return None if pixels is None or pixels.shape != in_size else pixels


def forget_drawing() -> None:
    """Another picture is to be looked at."""
    st.session_state.pop(_DRAWN, None)

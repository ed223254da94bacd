"""From a drawing to the page that looks inside a network: it finds the drawing there."""

from __future__ import annotations

import hashlib

import numpy as np
import streamlit as st

from cnnlib.data.prepared import Prepared
from cnnlib.ui.addresses import INSPECT
from cnnlib.ui.draw_runs import Reader
from cnnlib.ui.inspect_source import Picture

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


def drawn_picture(prepared: Prepared) -> Picture | None:
    """The drawing that was brought along, with a way back; None where there is none."""
    picture = kept_drawing(prepared)
    if picture is not None:
        st.button(
            "Back to test pictures",
            icon=":material/arrow_back:",
            key="inspect_no_drawing",
            on_click=st.session_state.pop,
            args=(_DRAWN, None),
        )
    return picture


def kept_drawing(prepared: Prepared) -> Picture | None:
    """The drawing that this session brought along; None without one, or where it does not fit."""
    pixels = st.session_state.get(_DRAWN)
    if pixels is None or pixels.shape != prepared.info.in_size:
        return None
    key = hashlib.sha256(pixels.tobytes()).hexdigest()[:16]
    return Picture(pixels, f"drawing-{key}", note="Your drawing, as the network sees it.")

"""A small drawing pad beside the picture that is inspected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    import numpy as np

SIDE, _PEN = 168, 11  # of the pad and of the pen, in pixels
PAPER, INK = "#000000", "#ffffff"  # as in MNIST: light ink on black


def small_pad(key: str) -> np.ndarray | None:
    """Show a pad with a Clear button and return its picture; None before the first stroke.

    Returns:
        `SIDE` x `SIDE` x 4, uint8.
    """
    from streamlit_drawable_canvas import st_canvas  # registers itself with a running server

    edition = st.session_state.setdefault(f"{key}_edition", 0)
    with st.container(width="content", gap="small"):
        result = st_canvas(
            stroke_width=_PEN,
            stroke_color=INK,
            background_color=PAPER,
            height=SIDE,
            width=SIDE,
            return_image_data=True,
            key=f"{key}_{edition}",
        )
        st.button(
            "Clear", icon=":material/delete:", key=f"{key}_clear", on_click=_clear, args=(key,)
        )
    pixels = result.image_data
    return None if pixels is None or not pixels[..., :3].any() else pixels


def _clear(key: str) -> None:
    st.session_state[f"{key}_edition"] += 1

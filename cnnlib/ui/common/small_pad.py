"""A small drawing pad beside the picture that is inspected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    import numpy as np

_PEN = 0.065  # pen width, as a fraction of the pad's side
PAPER, INK = "#000000", "#ffffff"  # as in MNIST: light ink on black


def small_pad(key: str, side: int = 168) -> np.ndarray | None:
    """Show a pad with a Clear button and return its picture; None before the first stroke.

    Args:
        side: Side of the pad in pixels.

    Returns:
        side x side x 4, uint8.
    """
    from streamlit_drawable_canvas import st_canvas  # registers itself with a running server

    edition = st.session_state.setdefault(f"{key}_edition", 0)
    with st.container(width="content", gap="small"):
        result = st_canvas(
            stroke_width=round(_PEN * side),
            stroke_color=INK,
            background_color=PAPER,
            height=side,
            width=side,
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

"""The drawing pad: draw, erase, take back, begin anew; or a picture of one's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from streamlit_drawable_canvas import st_canvas

from cnnlib.data.image_folder.image_decoder import FORMATS, BrokenPicture, decode
from cnnlib.probe.drawing import ink_on_paper
from cnnlib.records.drawing import MOST_BLUR, Preparation
from cnnlib.ui.common.messages import show_error
from cnnlib.ui.common.small_pad import INK, PAPER

SIDE = 280  # pixels of the pad
UPLOAD_SIDE = 280  # an uploaded picture is brought to this side before it is prepared
_START = "draw_pad_start"  # the drawing that the pad was last told to show
_NOW = "draw_pad_now"  # the strokes that are on the pad
_PICTURE = "draw_pad_picture"  # of these strokes: H x W x 4, uint8
_SENT = "draw_pad_sent"  # the strokes that the browser sent last
_OUTDATED = "draw_pad_outdated"  # what it had sent before the pad was told to show others
_WIDTHS = {"Pen": 18, "Eraser": 36}  # at first, in pixels of the pad


@dataclass(frozen=True, eq=False)
class Drawn:
    """What a person drew or uploaded.

    Args:
        pixels: H x W x 3 or 4, uint8; None before there is anything.
        is_photo: It was uploaded, so its paper may be light.
    """

    pixels: np.ndarray | None
    is_photo: bool = False

    @property
    def ink(self) -> np.ndarray | None:
        """For networks that see grey: light ink on black; None before there is anything."""
        if self.pixels is None or not self.is_photo:
            return self.pixels
        return ink_on_paper(self.pixels)


def drawing_pad(in_colour: bool) -> Drawn:
    """The pad with its tools, or an upload.

    Args:
        in_colour: Some network that is asked sees colours.
    """
    source = st.segmented_control(
        "Picture",
        ["Draw", "Upload"],
        default="Draw",
        required=True,
        key="draw_source",
        label_visibility="collapsed",
    )
    if source == "Upload":
        return Drawn(_uploaded(), is_photo=True)
    if "draw_tool" not in st.session_state and st.session_state.get(_NOW):
        _show(st.session_state[_NOW])  # the pad was away, and comes back empty
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        tool = st.segmented_control(
            "Tool",
            ["Pen", "Eraser"],
            default="Pen",
            required=True,
            key="draw_tool",
            label_visibility="collapsed",
        )
        st.button("Undo", icon=":material/undo:", key="draw_undo", on_click=_undo)
        st.button("Clear", icon=":material/delete:", key="draw_clear", on_click=clear)
    return Drawn(_canvas(tool, in_colour))


def preparation_form() -> Preparation:
    """Switches for the steps that bring a drawing to the form of MNIST's pictures."""
    with st.container(horizontal=True, gap="medium"):
        fit = st.toggle("Fit", True, key="draw_fit", help="Bring the ink to the size of a digit.")
        antialias = st.toggle(
            "Antialias", True, key="draw_antialias", help="Average over the pixels that become one."
        )
        centre = st.toggle(
            "Centre", True, key="draw_centre", help="Move the centre of mass to the centre."
        )
        blur = st.slider(
            "Blur",
            0.0,
            MOST_BLUR,
            0.0,
            0.25,
            key="draw_blur",
            width=180,
            help="Standard deviation of a Gaussian, in pixels of what the network sees.",
        )
    return Preparation(fit, antialias, centre, blur)


def clear() -> None:
    """Begin with an empty pad."""
    _show([])


def _undo() -> None:
    """Take back the last stroke."""
    _show(st.session_state.get(_NOW, [])[:-1])


def _show(strokes: list[Any]) -> None:
    """Tell the pad to show these strokes; it answers with the picture of them.

    It looks at a drawing only where that is another one than before, so each has a number.
    """
    edition = st.session_state.get(_START, {}).get("edition", 0) + 1
    st.session_state[_START] = {"objects": strokes, "edition": edition}
    st.session_state[_NOW] = strokes
    st.session_state[_OUTDATED] = st.session_state.get(_SENT)


def _canvas(tool: str, in_colour: bool) -> np.ndarray | None:
    """The pad itself: H x W x 4, uint8; None before the first stroke."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        width = st.slider(
            f"{tool} width",
            6,
            80,
            _WIDTHS[tool],
            key=f"draw_width_{tool}",
            width=200,
            persist_state="session",
        )
        ink = st.color_picker("Colour", INK, key="draw_colour") if in_colour else INK
    result = st_canvas(
        stroke_width=width,
        stroke_color=ink if tool == "Pen" else PAPER,
        background_color=PAPER,
        height=SIDE,
        width=SIDE,
        initial_drawing=st.session_state.get(_START),
        return_image_data=True,
        key="draw_pad",
    )
    if result.image_data is None:  # a pad that comes back sends nothing before the next stroke
        return st.session_state.get(_PICTURE) if st.session_state.get(_NOW) else None
    strokes = (result.json_data or {}).get("objects", [])
    _keep(strokes, result.image_data)
    return result.image_data


def _keep(strokes: list[Any], picture: np.ndarray) -> None:
    """Remember what the browser sent: it may not have heard yet what the pad was told to show."""
    st.session_state[_SENT] = strokes
    if strokes != st.session_state.get(_OUTDATED):
        st.session_state[_NOW] = strokes
        st.session_state[_PICTURE] = picture
        st.session_state[_OUTDATED] = None


def _uploaded() -> np.ndarray | None:
    """The square in the middle of an uploaded picture: H x W x 3, uint8."""
    file = st.file_uploader(
        "A picture of a digit, or of what the network knows",
        type=[each.lower() for each in FORMATS] + ["jpg", "tif"],
        key="draw_upload",
        help="Dark ink on light paper is turned into light ink on black.",
    )
    if file is None:
        return None
    try:
        return np.ascontiguousarray(decode(file.getvalue(), UPLOAD_SIDE, 3).transpose(1, 2, 0))
    except BrokenPicture as error:
        show_error(f"{file.name} cannot be looked at: {error}. Choose another picture.")
        return None

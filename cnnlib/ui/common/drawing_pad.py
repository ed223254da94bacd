"""The drawing pad with pen, eraser, undo and clear, and the upload of a picture instead."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from streamlit_drawable_canvas import st_canvas

from cnnlib.data.image_folder.image_decoder import BrokenPicture, decode, decode_picture
from cnnlib.probe.drawing import PHOTO_SIDE, ink_on_paper
from cnnlib.records.drawing import MOST_BLUR, Preparation
from cnnlib.ui.common.browser_component import Component
from cnnlib.ui.common.components import data_uri
from cnnlib.ui.common.messages import show_error, show_warning
from cnnlib.ui.common.small_pad import INK, PAPER

SIDE = 420  # pixels of the pad; page.css makes it smaller on a small screen
_INITIAL = "draw_pad_start"  # the last drawing that the server sent to the pad
_STROKES = "draw_pad_now"  # the strokes that are on the pad
_PICTURE = "draw_pad_picture"  # picture of these strokes: H x W x 3 or 4, uint8
_SENT = "draw_pad_sent"  # the last strokes received from the browser
_OUTDATED = "draw_pad_outdated"  # strokes received before the server replaced them
_WIDTHS = {"Pen": 27, "Eraser": 54}  # initial widths in pixels of the pad
_STORAGE = "draw_pad_storage"

_tab_storage = Component("drawing", "common/drawing.js")


@dataclass(frozen=True, eq=False)
class DrawnPicture:
    """A drawn or uploaded picture.

    Args:
        pixels: H x W x 3 or 4, uint8; None if nothing was drawn or uploaded yet.
        is_photo: Whether it was uploaded, so that its paper may be light.
    """

    pixels: np.ndarray | None
    is_photo: bool = False

    @property
    def ink(self) -> np.ndarray | None:
        """Light ink on black, for networks with grey input; None if there is no picture yet."""
        if self.pixels is None or not self.is_photo:
            return self.pixels
        return ink_on_paper(self.pixels)


def choose_source() -> str:
    """Show the switch between the pad and a file, and return "Draw" or "Upload"."""
    return st.segmented_control(
        "Picture",
        ["Draw", "Upload"],
        default="Draw",
        required=True,
        key="draw_source",
        label_visibility="collapsed",
    )


def drawing_pad(source: str, in_colour: bool) -> DrawnPicture:
    """Show the pad with its tools, or a file upload, and return the picture.

    Args:
        source: Of `choose_source`.
        in_colour: Whether some network that classifies the picture has colour input.
    """
    if source == "Upload":
        return DrawnPicture(_read_upload(), is_photo=True)
    if "draw_tool" not in st.session_state and st.session_state.get(_STROKES):
        # a pad that was hidden is mounted empty
        _set_strokes(st.session_state[_STROKES], st.session_state.get(_PICTURE))
    tools = st.container(horizontal=True, vertical_alignment="center", gap="small")
    with tools:
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
        width, ink = _width_and_colour(tool, in_colour)
    drawn = DrawnPicture(_canvas(width, ink))
    with tools:
        _store_in_tab()
    return drawn


def preparation_form() -> Preparation:
    """Show switches for the steps that convert a drawing to the format of MNIST."""
    with st.container(horizontal=True, gap="medium"):
        fit = st.toggle(
            "Fit", True, key="draw_fit", help="Resizes the strokes to the size of a digit in MNIST."
        )
        antialias = st.toggle(
            "Antialias",
            True,
            key="draw_antialias",
            help="Each pixel of the smaller picture is the average of the pixels that it replaces.",
        )
        centre = st.toggle(
            "Centre",
            True,
            key="draw_centre",
            help="Moves the centre of mass of the strokes to the centre of the picture.",
        )
        blur = st.slider(
            "Blur",
            0.0,
            MOST_BLUR,
            0.0,
            0.25,
            key="draw_blur",
            width=180,
            help="Standard deviation of a Gaussian blur, in pixels of the input. 0: no blur.",
        )
    return Preparation(fit, antialias, centre, blur)


def clear() -> None:
    """Clear the pad."""
    _set_strokes([])


def _undo() -> None:
    """Remove the last stroke."""
    _set_strokes(st.session_state.get(_STROKES, [])[:-1])


def _set_strokes(strokes: list[Any], picture: np.ndarray | None = None) -> None:
    """Replace the strokes on the pad; the browser then sends the picture of them.

    The pad reads a drawing only if it differs from the previous one, so each has a number. A pad
    that is mounted with strokes sends no picture before the next one.

    Args:
        picture: Picture of the strokes, H x W x 3 or 4, uint8, if it is known.
    """
    edition = st.session_state.get(_INITIAL, {}).get("edition", 0) + 1
    st.session_state[_INITIAL] = {"objects": strokes, "edition": edition}
    st.session_state[_STROKES] = strokes
    st.session_state[_PICTURE] = picture
    st.session_state[_OUTDATED] = st.session_state.get(_SENT)


def _store_in_tab() -> None:
    """Copy the drawing to the browser's tab; a new session restores it from there."""
    picture = st.session_state.get(_PICTURE)
    drawing = {
        "strokes": st.session_state.get(_STROKES, []),
        "picture": None if picture is None else data_uri(picture[..., :3].transpose(2, 0, 1)),
    }
    _tab_storage({"drawing": drawing}, key=_STORAGE, on_restored_change=_restore)


def _restore() -> None:
    """Widget callback: put the drawing of the browser's tab on the pad, unless one was drawn.

    A pad that was just mounted may have reported that it is empty before this.
    """
    match st.session_state[_STORAGE].get("restored"):
        case {"strokes": [*strokes], "picture": str(picture)} if not st.session_state.get(_STROKES):
            _set_strokes(strokes, _picture_from(picture))


def _picture_from(uri: str) -> np.ndarray | None:
    """Decode a data URI to H x W x 3, uint8; None if it holds no picture."""
    try:
        content = b64decode(uri.partition(",")[2], validate=True)
        return np.ascontiguousarray(decode(content, SIDE, 3).transpose(1, 2, 0))
    except (ValueError, BrokenPicture):  # whatever was in the storage, the pad stays usable
        return None


def _width_and_colour(tool: str, in_colour: bool) -> tuple[int, str]:
    """Show the width of the tool and, for colour input, the colour of the pen."""
    with st.popover("Width", icon=":material/line_weight:", key="draw_width"):
        width = st.slider(
            f"{tool} width",
            9,
            120,
            _WIDTHS[tool],
            key=f"draw_width_{tool}",
            width=200,
            persist_state="session",
        )
    ink = st.color_picker("Colour", INK, key="draw_colour") if in_colour else INK
    return width, ink if tool == "Pen" else PAPER


def _canvas(width: int, ink: str) -> np.ndarray | None:
    """Show the canvas and return its picture: H x W x 4, uint8; None before the first stroke."""
    result = st_canvas(
        stroke_width=width,
        stroke_color=ink,
        background_color=PAPER,
        height=SIDE,
        width=SIDE,
        initial_drawing=st.session_state.get(_INITIAL),
        return_image_data=True,
        key="draw_pad",
    )
    if result.image_data is None:  # a pad mounted again sends nothing before a stroke
        return st.session_state.get(_PICTURE) if st.session_state.get(_STROKES) else None
    strokes = (result.json_data or {}).get("objects", [])
    _store_strokes(strokes, result.image_data)
    return result.image_data


def _store_strokes(strokes: list[Any], picture: np.ndarray) -> None:
    """Store strokes from the browser, unless the server has replaced them since."""
    st.session_state[_SENT] = strokes
    if strokes != st.session_state.get(_OUTDATED):
        st.session_state[_STROKES] = strokes
        st.session_state[_PICTURE] = picture
        st.session_state[_OUTDATED] = None


def _read_upload() -> np.ndarray | None:
    """Return the central square of an uploaded picture: H x W x 3, uint8."""
    file = st.file_uploader(
        "A picture of one of the classes of the network",
        key="draw_upload",
        help="Dark ink on light paper is converted to light ink on black. Pictures are cropped to "
        "a centred square.",
    )
    if file is None:
        return None
    try:
        picture = decode_picture(file.getvalue(), PHOTO_SIDE, 3, name=file.name)
    except BrokenPicture as error:
        show_error(f"{file.name} cannot be read as a picture: {error}. Choose another file.")
        return None
    if picture.problem:
        show_warning(f"In {file.name}, {picture.problem}.")
    return np.ascontiguousarray(picture.pixels.transpose(1, 2, 0))

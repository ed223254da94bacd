"""The picture that is looked at: of the test split, drawn, or uploaded."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import TYPE_CHECKING

import streamlit as st
from PIL import Image

from cnnlib.data.image_folder.image_decoder import BrokenPicture, decode
from cnnlib.errors import DataError
from cnnlib.probe.drawing import prepare_drawing
from cnnlib.ui.common.format import escape_markdown
from cnnlib.ui.common.messages import show_error
from cnnlib.ui.common.network_cache import Picture, picture_of_test_split
from cnnlib.ui.common.small_pad import small_pad
from cnnlib.ui.common.thumbnails import data_uri
from cnnlib.ui.common.urls import number_in_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from cnnlib.data.prepared import Prepared

TEST, DRAW, UPLOAD = "Test picture", "Draw", "Upload"
_DRAWN_NOTE = "Your drawing, as the network sees it."
_SHOWN_PIXELS = 112
_DRAWN = "inspect_drawing"  # the picture as the network saw it: C x H x W, uint8


def choose_picture(
    prepared: Prepared, page: str = "inspect", sources: Sequence[str] = (TEST, DRAW, UPLOAD)
) -> Picture:
    """A picture of the test split, or one of the person's own.

    Args:
        page: What the keys of its widgets begin with.

    Raises:
        DataError: There is no test picture, and the person gave none.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        shown = st.container(width="content")
        with st.container(width="stretch", gap="small"):
            picture = _brought(prepared, page) or _chosen(prepared, page, sources)
            if picture.place is None:
                picture = _with_class(picture, prepared.info.classes, page)
                st.caption(picture.note)
            elif picture.label is not None:
                st.caption(escape_markdown(f"Its class is {prepared.info.classes[picture.label]}."))
    shown.html(
        f'<img src="{data_uri(picture.pixels)}" alt="The picture looked at" '
        f'width="{_SHOWN_PIXELS}" height="{_SHOWN_PIXELS}" '
        'style="display:block;image-rendering:pixelated;border-radius:4px">'
    )
    return picture


def look_at(place: int, page: str = "inspect") -> None:
    """Choose a test picture from elsewhere on a page; a drawing that was brought is forgotten."""
    forget_drawing()
    st.session_state[_place_key(page)] = place
    st.session_state[_source_key(page)] = TEST


def _place_key(page: str) -> str:
    """Where the number of the test picture is kept."""
    return f"{page}_picture"


def _source_key(page: str) -> str:
    return f"{page}_source"


def _brought(prepared: Prepared, page: str) -> Picture | None:
    """The drawing that was brought along from Draw, with a way back; None where there is none."""
    pixels = brought_drawing(prepared.info.in_size)
    if pixels is None:
        return None
    st.button(
        "Back to test pictures",
        icon=":material/arrow_back:",
        key=f"{page}_no_drawing",
        on_click=forget_drawing,
    )
    return _own(pixels, _DRAWN_NOTE)


def _chosen(prepared: Prepared, page: str, sources: Sequence[str]) -> Picture:
    key = _source_key(page)
    st.session_state.setdefault(key, TEST)
    source = st.segmented_control("Picture", sources, key=key, default=None, required=True)
    own = {DRAW: _drawn, UPLOAD: _uploaded}.get(source or TEST)
    picture = own(prepared, page) if own is not None else None
    return picture or _from_test_split(prepared, page, is_asked=source == TEST)


def _from_test_split(prepared: Prepared, page: str, *, is_asked: bool) -> Picture:
    """The chosen test picture; it stays until there is another one."""
    count = len(prepared.test_labels)
    if count == 0:
        raise DataError(
            f"{prepared.info.name} has no test pictures. Draw or upload a picture instead."
        )
    key = _place_key(page)
    place = int(st.session_state.get(key, number_in_address("picture") or 0))
    place = st.session_state[key] = min(place, count - 1)
    if is_asked:
        place = st.number_input(f"Number, of {count:,}", 0, count - 1, key=key, width=180)
    return picture_of_test_split(prepared, place)


def _drawn(prepared: Prepared, page: str) -> Picture | None:
    """What is on the pad, as the network sees it; None before the first stroke."""
    pixels = small_pad(f"{page}_pad")
    if pixels is None:
        st.caption("Draw something. Until then the test picture stays.")
        return None
    return _own(prepare_drawing(pixels, prepared.info.in_size).picture, _DRAWN_NOTE)


def _uploaded(prepared: Prepared, page: str) -> Picture | None:
    """The uploaded picture as the dataset has its own; None, and a sentence, where it is none."""
    file = st.file_uploader(
        "Your own picture", key=f"{page}_upload", help="PNG, JPEG, WebP, BMP, GIF or TIFF"
    )
    if file is None:
        return None
    content = file.getvalue()
    channels, size, _ = prepared.info.in_size
    invert = channels == 1 and st.checkbox(
        "Swap dark and light", key=f"{page}_invert", help="For ink on paper"
    )
    try:
        pixels = decode(content, size, channels)
        with Image.open(BytesIO(content)) as image:
            width, height = image.size
    except BrokenPicture as error:
        show_error(
            f"This file cannot be looked at: {error}. Choose a PNG or JPEG picture; until then the "
            "test picture stays."
        )
        return None
    note = f"Your picture of {width:,} × {height:,} pixels, brought to {size} × {size}."
    return _own(255 - pixels if invert else pixels, note)


def _own(pixels: np.ndarray, note: str) -> Picture:
    return Picture(pixels, f"own-{hashlib.sha256(pixels.tobytes()).hexdigest()[:16]}", note=note)


def _with_class(picture: Picture, classes: tuple[str, ...], page: str) -> Picture:
    """The class that the person says it has: gradients of the loss need one."""
    unknown = len(classes)
    label = st.selectbox(
        "Its class",
        [unknown, *range(unknown)],
        key=f"{page}_own_class",
        format_func=lambda each: "not told" if each == unknown else classes[each],
        width=180,
    )
    told = None if label == unknown else label
    return Picture(picture.pixels, f"{picture.key}-{told}", told, picture.note)


def hand_over_drawing(picture: np.ndarray) -> None:
    """Store a drawing of the Draw page, C x H x W, uint8, for the page that is opened next."""
    st.session_state[_DRAWN] = picture


def brought_drawing(in_size: tuple[int, int, int]) -> np.ndarray | None:
    """The drawing that this session brought along: C x H x W, uint8.

    None without one, or where it does not fit a network's input.
    """
    pixels = st.session_state.get(_DRAWN)
    return None if pixels is None or pixels.shape != in_size else pixels


def forget_drawing() -> None:
    """Another picture is to be looked at."""
    st.session_state.pop(_DRAWN, None)

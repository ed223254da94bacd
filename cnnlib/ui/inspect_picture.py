"""The picture that Inspect looks at: of the test split, drawn, or uploaded."""

from __future__ import annotations

import hashlib
from io import BytesIO

import numpy as np
import streamlit as st
from PIL import Image

from cnnlib.data.pictures import BrokenPicture, decode
from cnnlib.data.prepared import Prepared
from cnnlib.errors import DataError
from cnnlib.probe.drawing import prepare_drawing
from cnnlib.ui.addresses import remember
from cnnlib.ui.draw_why import drawn_picture
from cnnlib.ui.inspect_pad import small_pad
from cnnlib.ui.inspect_source import Picture, test_picture
from cnnlib.ui.pictures import data_uri

TEST, DRAW, UPLOAD = "Test picture", "Draw", "Upload"
PLACE = "inspect_picture"  # the number of the test picture, in the session
_SHOWN_PIXELS = 112


def choose_picture(prepared: Prepared) -> Picture:
    """A picture of the test split, or one of the person's own.

    Raises:
        DataError: There is no test picture, and the person gave none.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        shown = st.container(width="content")
        with st.container(width="stretch", gap="small"):
            picture = drawn_picture(prepared) or _chosen(prepared)
            if picture.place is None:
                picture = _with_class(picture, prepared.info.classes)
                st.caption(picture.note)
            else:
                st.caption(f"Its class is {prepared.info.classes[picture.label]}.")
    shown.html(
        f'<img src="{data_uri(picture.pixels)}" alt="The picture looked at" '
        f'width="{_SHOWN_PIXELS}" height="{_SHOWN_PIXELS}" '
        'style="display:block;image-rendering:pixelated;border-radius:4px">'
    )
    return picture


def _chosen(prepared: Prepared) -> Picture:
    source = st.segmented_control(
        "Picture", [TEST, DRAW, UPLOAD], key="inspect_source", default=TEST, required=True
    )
    own = {DRAW: _drawn, UPLOAD: _uploaded}.get(source)
    picture = own(prepared) if own is not None else None
    return picture or _from_test_split(prepared, is_asked=source == TEST)


def _from_test_split(prepared: Prepared, *, is_asked: bool) -> Picture:
    """The chosen test picture; it stays until there is another one."""
    count = len(prepared.test_labels)
    if count == 0:
        raise DataError(
            f"{prepared.info.name} has no test pictures. Draw or upload a picture instead."
        )
    if PLACE not in st.session_state:
        asked = st.query_params.get("picture", "")
        st.session_state[PLACE] = int(asked) if asked.isdigit() else 0
    place = st.session_state[PLACE] = min(int(st.session_state[PLACE]), count - 1)
    if is_asked:
        place = st.number_input(f"Number, of {count:,}", 0, count - 1, key=PLACE, width=180)
    remember("picture", str(place))
    return test_picture(prepared, place)


def _drawn(prepared: Prepared) -> Picture | None:
    """What is on the pad, as the network sees it; None before the first stroke."""
    pixels = small_pad("inspect_pad")
    if pixels is None:
        st.caption("Draw something. Until then the test picture stays.")
        return None
    seen = prepare_drawing(pixels, prepared.info.in_size).picture
    return _own(seen, "Your drawing, as the network sees it.")


def _uploaded(prepared: Prepared) -> Picture | None:
    """The uploaded picture as the dataset has its own; None, and a sentence, where it is none."""
    file = st.file_uploader(
        "Your own picture", key="inspect_upload", help="PNG, JPEG, WebP, BMP, GIF or TIFF"
    )
    if file is None:
        return None
    content = file.getvalue()
    channels, size, _ = prepared.info.in_size
    invert = channels == 1 and st.checkbox(
        "Swap dark and light", key="inspect_invert", help="For ink on paper"
    )
    try:
        pixels = decode(content, size, channels)
        with Image.open(BytesIO(content)) as image:
            width, height = image.size
    except BrokenPicture as error:
        st.error(
            f"This file cannot be looked at: {error}. Choose a PNG or JPEG picture; until then the "
            "test picture stays.",
            icon=":material/error:",
        )
        return None
    note = f"Your picture of {width:,} × {height:,} pixels, brought to {size} × {size}."
    return _own(255 - pixels if invert else pixels, note)


def _own(pixels: np.ndarray, note: str) -> Picture:
    return Picture(pixels, f"own-{hashlib.sha256(pixels.tobytes()).hexdigest()[:16]}", note=note)


def _with_class(picture: Picture, classes: tuple[str, ...]) -> Picture:
    """The class that the person says it has: gradients of the loss need one."""
    unknown = len(classes)
    label = st.selectbox(
        "Its class",
        [unknown, *range(unknown)],
        key="inspect_own_class",
        format_func=lambda each: "not told" if each == unknown else classes[each],
        width=180,
    )
    told = None if label == unknown else label
    return Picture(picture.pixels, f"{picture.key}-{told}", told, picture.note)

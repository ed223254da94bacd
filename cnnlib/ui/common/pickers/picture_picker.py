"""The picture picker: a picture of the test split, a drawing, or an upload."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.data.image_folder.image_decoder import BrokenPicture, decode_picture
from cnnlib.errors import DataError
from cnnlib.probe.drawing import PHOTO_SIDE, ink_on_paper, prepare_drawing
from cnnlib.probe.ink import (
    describe_ink,
    drawing_differences,
    ink_differences,
    ink_statistics_of,
    preparation_for,
)
from cnnlib.ui.common.components import data_uri
from cnnlib.ui.common.format import dataset_label, escape_markdown
from cnnlib.ui.common.messages import show_error, show_warning
from cnnlib.ui.common.saved_steps import Picture, picture_of_test_split
from cnnlib.ui.common.small_pad import small_pad
from cnnlib.ui.common.urls import number_in_address
from cnnlib.ui.common.whole_number import whole_number_input
from cnnlib.vocabulary.datasets import FITS

if TYPE_CHECKING:
    import numpy as np

    from cnnlib.data.prepared import Prepared
    from cnnlib.records.drawing import InkDifference, PreparedDrawing

TEST, DRAW, UPLOAD = "Test picture", "Draw", "Upload"
_DRAWN_NOTE = "Your drawing, prepared for the network."
_SHOWN_PIXELS = 112
_DRAWN = "inspect_drawing"


def choose_picture(
    prepared: Prepared, page: str = "inspect", sources: Sequence[str] = (TEST, DRAW, UPLOAD)
) -> Picture:
    """Show the widgets to choose a picture, and return the picture.

    Args:
        prepared: The dataset with the test split.
        page: Prefix of the widget keys.
        sources: The options: some of `TEST`, `DRAW` and `UPLOAD`.

    Raises:
        DataError: The test split is empty, and no picture was drawn or uploaded.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        shown = st.container(width="content")
        with st.container(width="stretch", gap="small"):
            picture = _stored_picture(prepared, page) or _pick_picture(prepared, page, sources)
            if picture.test_index is None:
                picture = _add_class(picture, prepared.info.classes, page)
                st.caption(picture.note)
            elif picture.label is not None:
                st.caption(escape_markdown(f"True class: {prepared.info.classes[picture.label]}."))
    shown.html(
        f'<img src="{data_uri(picture.pixels)}" alt="The chosen picture" '
        f'width="{_SHOWN_PIXELS}" height="{_SHOWN_PIXELS}" '
        'style="display:block;image-rendering:pixelated;border-radius:4px">'
    )
    return picture


def select_test_picture(index: int, page: str = "inspect") -> None:
    """Select a test picture from other code of a page, and discard the stored drawing."""
    discard_drawing()
    st.session_state[_index_key(page)] = index
    st.session_state[_source_key(page)] = TEST


def _index_key(page: str) -> str:
    """Return the widget key of the index of the test picture."""
    return f"{page}_picture"


def _source_key(page: str) -> str:
    """Return the widget key of the source."""
    return f"{page}_source"


def _stored_picture(prepared: Prepared, page: str) -> Picture | None:
    """Return the drawing from the Draw page, with a button to discard it; None without one."""
    drawing = stored_drawing(prepared.info.in_size)
    if drawing is None:
        return None
    st.button(
        "Back to test pictures",
        icon=":material/arrow_back:",
        key=f"{page}_no_drawing",
        on_click=discard_drawing,
    )
    return _drawn_picture(prepared, drawing)


def _pick_picture(prepared: Prepared, page: str, sources: Sequence[str]) -> Picture:
    """Show the sources and return the picture of the chosen one."""
    key = _source_key(page)
    default = st.session_state.setdefault(key, TEST)
    source = st.segmented_control("Picture", sources, key=key, default=default, required=True)
    read_own = {DRAW: _read_drawing, UPLOAD: _read_upload}.get(source or TEST)
    picture = read_own(prepared, page) if read_own is not None else None
    return picture or _read_test_picture(prepared, page, with_field=source == TEST)


def _read_test_picture(prepared: Prepared, page: str, *, with_field: bool) -> Picture:
    """Return the chosen test picture.

    Args:
        with_field: Whether to show the field for its index.
    """
    count = len(prepared.test_labels)
    if count == 0:
        label = dataset_label(prepared.info.name, prepared.info.title)
        raise DataError(f"{label} has no test pictures. Draw or upload a picture instead.")
    key = _index_key(page)
    index = int(st.session_state.get(key, number_in_address("picture") or 0))
    index = min(index, count - 1)
    st.session_state[key] = float(index)
    if with_field:
        label = f"Number of the test picture (0 to {count - 1:,})"
        index = whole_number_input(label, 0, count - 1, index, key=key, width=260)
    return picture_of_test_split(prepared, index)


def _read_drawing(prepared: Prepared, page: str) -> Picture | None:
    """Return the drawing on the pad, prepared for the network; None before the first stroke."""
    pixels = small_pad(f"{page}_pad")
    if pixels is None:
        st.caption("Draw something. Until then the test picture is shown.")
        return None
    return _drawn_picture(prepared, _prepared_drawing(prepared, pixels))


def _prepared_drawing(prepared: Prepared, pixels: np.ndarray) -> PreparedDrawing:
    """Prepare a drawing like the training pictures."""
    return prepare_drawing(
        pixels, prepared.info.in_size, preparation_for(ink_statistics_of(prepared))
    )


def _drawn_picture(prepared: Prepared, drawing: PreparedDrawing, note: str = "") -> Picture:
    """Return a prepared drawing; a warning says how it differs from the training pictures."""
    show_differences(drawing_differences(ink_statistics_of(prepared), drawing))
    return _own_picture(drawing.picture, note or _DRAWN_NOTE)


def _read_upload(prepared: Prepared, page: str) -> Picture | None:
    """Return the upload in the format of the dataset; None without one or after an error box."""
    fit = prepared.info.fit
    file = st.file_uploader(
        "Your picture",
        key=f"{page}_upload",
        help="A picture file, such as PNG, JPEG, WebP or TIFF. As the pictures of the dataset, it "
        f"is {FITS[fit].note}.",
    )
    if file is None:
        return None
    channels, size, _ = prepared.info.in_size
    known = ink_statistics_of(prepared)
    as_drawing = channels == 1 and known is not None and _prepare_box(page)
    invert = channels == 1 and known is None and _invert_box(page)
    try:
        picture = decode_picture(
            file.getvalue(), PHOTO_SIDE if as_drawing else size, channels, fit, file.name
        )
    except BrokenPicture as error:
        show_error(
            f"This file cannot be read as a picture: {error}. Until then the test picture is shown."
        )
        return None
    if picture.problem:
        show_warning(f"In your picture, {picture.problem}.")
    pixels = f"{picture.width:,} × {picture.height:,} pixels"
    if as_drawing:
        drawing = _prepared_drawing(prepared, ink_on_paper(picture.pixels[0]))
        return _drawn_picture(prepared, drawing, f"The ink of your picture of {pixels}, prepared.")
    offer = _OFFER if channels == 1 else ""
    show_differences(ink_differences(known, picture.pixels), offer)
    note = f"Your picture of {pixels}, resized to {size} × {size}."
    return _own_picture(255 - picture.pixels if invert else picture.pixels, note)


_OFFER = "Prepare it as a drawing: this turns it round, scales it and centres it."


def _prepare_box(page: str) -> bool:
    return st.checkbox(
        "Prepare as a drawing",
        key=f"{page}_as_drawing",
        help="For a photograph of ink: takes the ink from the paper, scales and centres it, and "
        "makes it light or dark like the training pictures.",
    )


def _invert_box(page: str) -> bool:
    return st.checkbox(
        "Swap dark and light",
        key=f"{page}_invert",
        help="For pictures on a light ground, if the training pictures have a dark one.",
    )


def _own_picture(pixels: np.ndarray, note: str) -> Picture:
    """Return a drawn or uploaded picture with a key computed from its pixels."""
    return Picture(pixels, f"own-{hashlib.sha256(pixels.tobytes()).hexdigest()[:16]}", note=note)


def _add_class(picture: Picture, classes: tuple[str, ...], page: str) -> Picture:
    """Show a menu for the class of an own picture (needed for loss gradients), and add it."""
    unknown = len(classes)
    label = st.selectbox(
        "True class",
        [unknown, *range(unknown)],
        key=f"{page}_own_class",
        format_func=lambda each: "unknown" if each == unknown else classes[each],
        width=180,
        help="Your picture has no label. Choose its class, if you want gradients of the loss.",
    )
    chosen = None if label == unknown else label
    return Picture(picture.pixels, f"{picture.key}-{chosen}", chosen, picture.note)


def show_differences(
    differences: Sequence[InkDifference], preparation: str = "", names: str = ""
) -> None:
    """Show how a picture differs from the training pictures, and what mends it (`describe_ink`).

    Another width of the strokes alone is a remark: a pen is seldom as wide as that of the dataset.

    Args:
        names: The networks whose training pictures differ; "" if there is one.
    """
    if not differences:
        return
    text = f"{names}: " if names else ""
    text += describe_ink(differences, preparation)
    if all(each.kind == "thickness" for each in differences):
        st.caption(escape_markdown(text))
    else:
        show_warning(text)


def store_drawing(drawing: PreparedDrawing) -> None:
    """Store a drawing of the Draw page for the next page of this session."""
    st.session_state[_DRAWN] = drawing


def has_stored_drawing() -> bool:
    """Return whether the Draw page has brought a drawing."""
    return _DRAWN in st.session_state


def stored_drawing(in_size: tuple[int, int, int]) -> PreparedDrawing | None:
    """Return the stored drawing; None without one or if its size differs."""
    drawing = st.session_state.get(_DRAWN)
    return None if drawing is None or drawing.picture.shape != in_size else drawing


def discard_drawing() -> None:
    """Remove the stored drawing."""
    st.session_state.pop(_DRAWN, None)

"""The convolution lesson: a picture, a kernel, and the output with its arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from cnnlib.data.image_folder.image_decoder import BrokenPicture, decode_picture
from cnnlib.errors import ProbeError
from cnnlib.probe.convolution import PRESETS, convolve, kernel_text, parse_kernel
from cnnlib.records.probe import Arithmetic
from cnnlib.ui.common.components import tile_grid, window_view
from cnnlib.ui.common.messages import show_error, show_warning
from cnnlib.ui.common.small_pad import small_pad
from cnnlib.ui.inspect.selection import middle_and_lens, rail_and_main

SIDE = 32
_PICTURES = ("Letter", "Square", "Ramp", "Chessboard", "Single pixel")


def playground() -> None:
    """Show the controls, the output with its arithmetic, and the output of the turned kernel."""
    rail, main = rail_and_main()
    with rail:
        picture = _choose_picture()
        kernel = _choose_kernel()
        settings = _choose_settings()
    with main:
        if kernel is None:
            return
        try:
            correlation = convolve(picture, kernel, **settings)
            convolution = convolve(picture, kernel, flip=True, **settings)
        except ProbeError as error:
            show_error(error)
            return
        _show_results(correlation, convolution)


def _choose_picture() -> np.ndarray:
    """Show a menu of pictures and return the chosen one: H x W, float32, 0..1."""
    chosen = st.selectbox("Picture", [*_PICTURES, "Draw", "Upload"], key="convolution_picture")
    if chosen == "Draw":
        return _read_drawing()
    if chosen != "Upload":
        return builtin_picture(chosen)
    file = st.file_uploader("Your picture", key="convolution_upload")
    if file is None:
        return builtin_picture(_PICTURES[0])
    try:
        picture = decode_picture(file.getvalue(), SIDE, 1, name=file.name)
    except BrokenPicture as error:
        show_error(
            f"This file cannot be read as a picture: {error}. Until then the letter is shown."
        )
        return builtin_picture(_PICTURES[0])
    if picture.problem:
        show_warning(f"In your picture, {picture.problem}.")
    return picture.pixels[0].astype(np.float32) / 255


def _read_drawing() -> np.ndarray:
    """Return the drawing on the pad; the letter before the first stroke."""
    pixels = small_pad("convolution_pad")
    if pixels is None:
        st.caption("Draw something. Until then the letter is shown.")
        return builtin_picture(_PICTURES[0])
    ink = Image.fromarray(np.ascontiguousarray(pixels[..., 0]))
    return np.asarray(ink.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32) / 255


def builtin_picture(name: str) -> np.ndarray:
    """Return a built-in picture: 28 x 28, float32, 0..1."""
    picture = np.zeros((28, 28), np.float32)
    if name == "Square":
        picture[8:20, 8:20] = 1
    elif name == "Ramp":
        picture[:] = np.linspace(0, 1, 28, dtype=np.float32)
    elif name == "Chessboard":
        picture[:] = np.indices((28, 28)).sum(axis=0) // 4 % 2
    elif name == "Single pixel":
        picture[14, 14] = 1
    else:  # the letter F: differs from its rotations and mirror images
        picture[5:23, 8:12] = picture[5:9, 8:21] = picture[12:16, 8:18] = 1
    return picture


def _choose_kernel() -> np.ndarray | None:
    """Show the presets and the text field, and return the kernel; None if it is invalid."""

    def fill() -> None:
        if preset := PRESETS.get(st.session_state["convolution_preset"]):
            st.session_state["convolution_kernel"] = kernel_text(np.array(preset))

    def name() -> None:
        st.session_state["convolution_preset"] = _kernel_name(
            st.session_state["convolution_kernel"]
        )

    names = [*PRESETS, _OWN_KERNEL]
    preset = st.session_state.setdefault("convolution_preset", names[1])
    st.selectbox(
        "Kernel",
        names,
        names.index(preset),
        key="convolution_preset",
        on_change=fill,
        help="The table of numbers that the window is multiplied by.",
    )
    if "convolution_kernel" not in st.session_state:
        fill()
    text = st.text_area(
        "Kernel numbers",
        st.session_state["convolution_kernel"],
        key="convolution_kernel",
        height=120,
        on_change=name,
        help="One row per line, with spaces between the numbers. Fractions such as 1/9 are "
        "allowed.",
    )
    try:
        return parse_kernel(text)
    except ProbeError as error:
        show_error(error)
        return None


_OWN_KERNEL = "Own numbers"


def _kernel_name(text: str) -> str:
    """Return the preset with these numbers, else `_OWN_KERNEL`."""
    try:
        numbers = parse_kernel(text)
    except ProbeError:
        return _OWN_KERNEL
    for name, preset in PRESETS.items():
        kernel = np.array(preset)
        if kernel.shape == numbers.shape and np.allclose(kernel, numbers, atol=1e-5):
            return name
    return _OWN_KERNEL


def _choose_settings() -> dict[str, Any]:
    """Show the fields of stride, padding and dilation; they are keyword arguments of `convolve`."""
    return {
        name: st.number_input(name.capitalize(), *limits, key=f"convolution_{name}", help=help)
        for name, (limits, help) in _SETTINGS.items()
    }


# Setting -> the lowest, the highest and the first value of its field, and its help.
_SETTINGS = {
    "stride": ((1, 4, 1), "Pixels that the window moves from one output value to the next."),
    "padding": (
        (0, 8, 1),
        "Pixels with the value 0 that are added on each side of the picture.",
    ),
    "dilation": (
        (1, 4, 1),
        "Distance in pixels between neighbouring numbers of the kernel. 1 leaves no gaps.",
    ),
}


def _show_results(correlation: Arithmetic, convolution: Arithmetic) -> None:
    """Show the output with its arithmetic, and both outputs beside it."""
    rows, columns = correlation.output.shape
    middle, aside = middle_and_lens()
    with middle:
        st.markdown(f"**Output: {rows} × {columns}**")
        window_view(correlation, key="convolution_window", source="the output value")
    difference = float(np.abs(correlation.output - convolution.output).max())
    with aside:
        st.header("Convolution and correlation", anchor=False)
        st.caption(
            "The convolution of a neural network does not rotate the kernel. In mathematics this "
            "is called cross-correlation, and a convolution rotates the kernel by 180° first. "
            + (
                "With this kernel both outputs are the same."
                if difference < 1e-6
                else f"With this kernel the outputs differ by up to {difference:.3g}."
            )
            + " Left: correlation. Right: convolution. Blue is below 0, red is above 0."
        )
        tile_grid(
            np.stack([correlation.output, convolution.output]),
            key="convolution_both",
            title="Correlation and convolution",
            names=["Correlation (as in networks)", "Convolution (rotated kernel)"],
            tile=168,
        )

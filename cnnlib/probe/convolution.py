"""The convolution of one picture with one kernel, for the Convolution page; numpy only."""

from __future__ import annotations

import re

import numpy as np

from cnnlib.design.shapes import output_size
from cnnlib.errors import ProbeError
from cnnlib.records.probe import Arithmetic

MAX_SIDE = 11
PRESETS: dict[str, tuple[tuple[float, ...], ...]] = {
    "Identity": ((0, 0, 0), (0, 1, 0), (0, 0, 0)),
    "Vertical edges (Sobel)": ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),
    "Horizontal edges (Sobel)": ((-1, -2, -1), (0, 0, 0), (1, 2, 1)),
    "All edges (Laplace)": ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
    "Blur (mean)": ((1 / 9,) * 3,) * 3,
    "Blur (Gauss)": ((1 / 16, 2 / 16, 1 / 16), (2 / 16, 4 / 16, 2 / 16), (1 / 16, 2 / 16, 1 / 16)),
    "Sharpen": ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
    "Emboss": ((-2, -1, 0), (-1, 1, 1), (0, 1, 2)),
    "Shift right": ((0, 0, 0), (1, 0, 0), (0, 0, 0)),
}


def parse_kernel(text: str) -> np.ndarray:
    """Parse a kernel from text: one row per line, numbers separated by blanks or commas.

    Semicolons separate rows too, and a number may be a fraction such as ``1/9``.

    Returns:
        kh x kw, float32.

    Raises:
        ProbeError: It is not a table of numbers, or larger than 11 x 11.
    """
    rows = [
        [_parse_number(number) for number in re.split(r"[\s,]+", row.strip(" ,\t"))]
        for row in re.split(r"[\n;]+", text)
        if row.strip(" ,\t")
    ]
    widths = {len(row) for row in rows}
    if len(widths) != 1:
        raise ProbeError(
            f"The rows of the kernel have {', '.join(map(str, sorted(widths))) or 'no'} numbers, "
            "but all rows must have the same count, at least 1. Write one row per line, with "
            "spaces between the numbers."
        )
    kernel = np.array(rows, np.float32)
    if max(kernel.shape) > MAX_SIDE:
        raise ProbeError(
            f"The kernel has {kernel.shape[0]} x {kernel.shape[1]} numbers, but at most "
            f"{MAX_SIDE} x {MAX_SIDE} are allowed. Use a smaller kernel."
        )
    return kernel


def kernel_text(kernel: np.ndarray) -> str:
    """Format a kernel as text that `parse_kernel` reads."""
    return "\n".join(" ".join(f"{value:.6g}" for value in row) for row in np.atleast_2d(kernel))


def convolve(
    picture: np.ndarray,
    kernel: np.ndarray,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    flip: bool = False,
) -> Arithmetic:
    """Slide a kernel over a picture.

    Args:
        picture: H x W, float32.
        kernel: kh x kw.
        flip: Rotate the kernel by 180 degrees first, which gives the mathematical convolution;
            otherwise the result is the cross-correlation, as in ``torch.nn.Conv2d``.

    Returns:
        The output, with the inputs and the kernel that it is computed from.

    Raises:
        ProbeError: The window does not fit inside the padded picture.
    """
    kernel = np.ascontiguousarray(kernel[::-1, ::-1] if flip else kernel)
    sides = [
        output_size(side, reach, stride, padding, dilation)
        for side, reach in zip(picture.shape, kernel.shape, strict=True)
    ]
    if min(sides) < 1:
        height, width = picture.shape
        raise ProbeError(
            f"A {kernel.shape[0]} x {kernel.shape[1]} kernel with dilation {dilation} does not fit "
            f"into {height} x {width} pixels with padding {padding}. Use a smaller "
            "dilation, or more padding."
        )
    padded = np.pad(picture.astype(np.float64), padding)
    output = np.zeros(sides)
    for row, column in np.ndindex(*kernel.shape):
        down, right = row * dilation, column * dilation
        rows = slice(down, down + stride * (sides[0] - 1) + 1, stride)
        columns = slice(right, right + stride * (sides[1] - 1) + 1, stride)
        output += float(kernel[row, column]) * padded[rows, columns]
    return Arithmetic(
        layer="convolution" if flip else "correlation",
        channel=0,
        inputs=picture[None].astype(np.float32),
        input_names=("picture",),
        kernel=kernel[None].astype(np.float32),
        bias=0.0,
        stride=stride,
        padding=padding,
        dilation=dilation,
        reduce="sum",
        output=output.astype(np.float32),
    )


def _parse_number(text: str) -> float:
    numerator, _, denominator = text.partition("/")
    try:
        value = float(numerator) / float(denominator or 1)
    except (ValueError, ZeroDivisionError):
        value = float("nan")
    if not np.isfinite(value):
        raise ProbeError(
            f"{text[:20]!r} is not a number. Write numbers such as 1, -0.5 or 1/9, one row per "
            "line."
        )
    return value

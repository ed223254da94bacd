"""Digits as strokes, to be drawn with a mouse in a browser or painted without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Sequence

Point = tuple[int, int]
SIDE = 280  # of the square that holds these strokes
STROKES: dict[str, list[list[Point]]] = {
    "3": [
        [(95, 70), (125, 52), (165, 58), (178, 88), (160, 118), (128, 132)],
        [(128, 132), (165, 146), (182, 180), (165, 216), (125, 228), (92, 210)],
    ],
    "7": [[(85, 62), (135, 58), (192, 58), (168, 110), (145, 165), (128, 228)]],
    "8": [
        [(178, 78), (150, 52), (112, 62), (104, 95), (130, 122), (165, 148), (180, 185)],
        [(180, 185), (165, 220), (125, 226), (102, 198), (115, 162), (150, 128), (178, 98)],
        [(178, 98), (178, 78)],
    ],
}


def painted(strokes: Sequence[Sequence[Point]], width: int = 18, side: int = SIDE) -> np.ndarray:
    """The pixels that the pad sends after these strokes: side x side x 4, uint8."""
    pad = Image.new("RGBA", (side, side), "black")
    pen = ImageDraw.Draw(pad)
    for stroke in strokes:
        pen.line(list(stroke), fill="white", width=width, joint="curve")
        for x, y in (stroke[0], stroke[-1]):
            pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill="white")
    return np.asarray(pad)

"""Synthetic out-of-distribution pictures: seeded random strokes and noise.

Some of the strokes resemble digits.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from cnnlib.probe.drawing import prepare_drawing

SCRIBBLES, NOISE = "random strokes", "noise"
_PAD = 112  # side in pixels, reduced by averaging
_POINTS = 40  # per stroke


def noise(count: int, in_size: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Draw pictures of independent uniform values: count x C x H x W, uint8."""
    return np.random.default_rng(seed).integers(0, 256, (count, *in_size), dtype=np.uint8)


def scribbles(count: int, in_size: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Draw pictures of 2 to 5 random strokes, prepared as drawings: count x C x H x W, uint8."""
    rng = np.random.default_rng(seed)
    pads = (scribble(rng) for _ in range(count))
    return np.stack([prepare_drawing(pad, in_size).picture for pad in pads])


def scribble(rng: np.random.Generator) -> np.ndarray:
    """Draw 2 to 5 random strokes: H x W, uint8, light on black."""
    pad = Image.new("L", (_PAD, _PAD))
    pen = ImageDraw.Draw(pad)
    width = int(rng.integers(5, 12))
    for _ in range(rng.integers(2, 6)):
        pen.line(_stroke(rng), fill=255, width=width, joint="curve")
    return np.asarray(pad)


def _stroke(rng: np.random.Generator) -> list[tuple[float, float]]:
    """Sample a cubic Bézier curve with four random control points."""
    controls = rng.uniform(8, _PAD - 8, (4, 2))
    t = np.linspace(0, 1, _POINTS)[:, None]
    weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
    points = sum(weight * control for weight, control in zip(weights, controls, strict=True))
    return [tuple(point) for point in points]

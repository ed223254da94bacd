"""Pictures of nothing: random strokes and noise, by seed. Some strokes do look like a digit."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from cnnlib.probe.drawing import prepare_drawing

SCRIBBLES, NOISE = "random strokes", "noise"
_PAD = 112  # pixels; large enough to be averaged down
_POINTS = 40  # of a stroke


def noise(count: int, in_size: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Every value drawn alone: count x C x H x W, uint8."""
    return np.random.default_rng(seed).integers(0, 256, (count, *in_size), dtype=np.uint8)


def scribbles(count: int, in_size: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    """Two to five smooth strokes anywhere, prepared as a drawing is: count x C x H x W, uint8."""
    rng = np.random.default_rng(seed)
    pads = (scribble(rng) for _ in range(count))
    return np.stack([prepare_drawing(pad, in_size).picture for pad in pads])


def scribble(rng: np.random.Generator) -> np.ndarray:
    """A pad with a few random strokes: H x W, uint8, light on black."""
    pad = Image.new("L", (_PAD, _PAD))
    pen = ImageDraw.Draw(pad)
    width = int(rng.integers(5, 12))
    for _ in range(rng.integers(2, 6)):
        pen.line(_stroke(rng), fill=255, width=width, joint="curve")
    return np.asarray(pad)


def _stroke(rng: np.random.Generator) -> list[tuple[float, float]]:
    """A Bézier curve through nowhere in particular, with four control points."""
    corners = rng.uniform(8, _PAD - 8, (4, 2))
    at = np.linspace(0, 1, _POINTS)[:, None]
    weights = ((1 - at) ** 3, 3 * at * (1 - at) ** 2, 3 * at**2 * (1 - at), at**3)
    points = sum(weight * corner for weight, corner in zip(weights, corners, strict=True))
    return [tuple(point) for point in points]

"""Contact sheets: filters and feature maps side by side in one picture."""

from __future__ import annotations

import numpy as np

from cnnlib.figures.theme import DIVERGING, channels

GAP = 2  # pixels between tiles
PIXELS = 48  # approximate width of a tile


def tiles_picture(tiles: np.ndarray) -> np.ndarray:
    """Draw tiles side by side, enlarged, on one colour scale.

    Args:
        tiles: N x H x W, or N x 3 x H x W for colour. Signed values get a diverging scale with a
            white zero, non-negative values a grey scale.

    Returns:
        Height x width x 3, uint8.
    """
    largest = float(np.abs(tiles).max(initial=0)) or 1.0
    signed = bool((tiles < 0).any())
    coloured = (
        _to_rgb(tiles, largest) if tiles.ndim == 4 else _colour_one_channel(tiles, largest, signed)
    )
    scale = max(1, round(PIXELS / tiles.shape[-1]))
    large = coloured.repeat(scale, axis=1).repeat(scale, axis=2)
    count, height, width, _ = large.shape
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    sheet = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), 128, np.uint8)
    for i, tile in enumerate(large):
        top = GAP + i // columns * (height + GAP)
        left = GAP + i % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = tile
    return sheet


def _to_rgb(tiles: np.ndarray, largest: float) -> np.ndarray:
    """Convert colour tiles to uint8; zero is middle grey."""
    return np.round((tiles.transpose(0, 2, 3, 1) / largest + 1) * 127.5).astype(np.uint8)


def _colour_one_channel(tiles: np.ndarray, largest: float, signed: bool) -> np.ndarray:
    """Convert one-channel tiles to uint8 RGB: a diverging scale if signed, else grey."""
    if not signed:
        return np.round(tiles / largest * 255).astype(np.uint8)[..., None].repeat(3, axis=-1)
    stops = [channels(colour) for colour in DIVERGING]
    stops.insert(len(stops) // 2, (255, 255, 255))
    places = np.linspace(-1, 1, len(stops))
    rgb = [np.interp(tiles / largest, places, values) for values in zip(*stops, strict=True)]
    return np.round(np.stack(rgb, axis=-1)).astype(np.uint8)

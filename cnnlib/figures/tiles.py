"""Many small pictures as one: filters and feature maps for a file."""

from __future__ import annotations

import numpy as np

from cnnlib.figures.theme import DIVERGING, channels

GAP = 2


PIXELS = 48  # a tile is about so wide


def tiles_picture(tiles: np.ndarray) -> np.ndarray:
    """Tiles side by side, enlarged, on one colour scale.

    Args:
        tiles: N x H x W, or N x 3 x H x W for colour. Signed values are coloured about a white
            zero; values from 0 up are grey.

    Returns:
        Height x width x 3, uint8.
    """
    most = float(np.abs(tiles).max(initial=0)) or 1.0
    signed = bool((tiles < 0).any())
    coloured = _rgb(tiles, most) if tiles.ndim == 4 else _one_channel(tiles, most, signed)
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


def _rgb(tiles: np.ndarray, most: float) -> np.ndarray:
    """Zero is middle grey."""
    return np.round((tiles.transpose(0, 2, 3, 1) / most + 1) * 127.5).astype(np.uint8)


def _one_channel(tiles: np.ndarray, most: float, signed: bool) -> np.ndarray:
    if not signed:
        return np.round(tiles / most * 255).astype(np.uint8)[..., None].repeat(3, axis=-1)
    stops = [channels(colour) for colour in DIVERGING]
    stops.insert(len(stops) // 2, (255, 255, 255))
    places = np.linspace(-1, 1, len(stops))
    rgb = [np.interp(tiles / most, places, values) for values in zip(*stops, strict=True)]
    return np.round(np.stack(rgb, axis=-1)).astype(np.uint8)

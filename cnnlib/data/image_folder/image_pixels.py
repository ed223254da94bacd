"""Pixels of a picture as 8 bits without transparency, so that what can be seen in it is kept."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFile

if TYPE_CHECKING:
    from collections.abc import Generator

# Bits of a sample that are tried, from the smallest, until they hold the largest value.
_DEPTHS = (8, 10, 12, 14, 16, 24, 32)
_BITS_PER_SAMPLE, _MAX_SAMPLE_VALUE = 258, 281  # tags of TIFF
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
_LIGHT = 127.5  # ink with a mean luminance above this is light
_BLOCK_ROWS = 64
MIN_RANGE = 16  # grey levels of 256; a picture with fewer is named

# Raw modes of Pillow that take the high byte of 16 bits -> those that take the low byte. Grey with
# opacity has none: its four bytes are read as if they were four channels.
_GREY_AND_OPACITY = "LA;16B"
_LOW_BYTES = {
    f"{mode};16{order}": f"{mode};16{low}"
    for mode in ("RGB", "RGBA")
    for order, low in (("B", "L"), ("L", "B"), ("N", "B"))
} | {_GREY_AND_OPACITY: "RGBA"}


class UnusablePixels(Exception):
    """The values of a picture have no range; the message is the reason."""


def to_eight_bits(image: Image.Image, content: bytes) -> Image.Image:
    """Convert a picture to mode L, RGB or RGBA, with its values scaled to 0..255.

    Files of 16 bits often hold fewer: values of a camera or a scanner with 12 bits are at most
    4,095. The full range is what the file says (TIFF: bits per sample, largest sample; PGM and PPM:
    their maximum); else it is that of the smallest of 8, 10, 12, 14, 16, 24 or 32 bits that holds
    the largest value of the picture. For floats it is 1 where no value is larger.

    Args:
        content: The file, which is decoded a second time for colours with 16 bits.

    Raises:
        UnusablePixels: Values are negative, not finite, or above 32 bits.
    """
    if image.mode.startswith("I;16"):
        values = np.asarray(image)
        full = _full_range(image, int(values.max()))
        return Image.fromarray(_scale_table(full)[values])
    if image.mode in ("I", "F"):
        return _scale_32_bits(image)
    sixteen = _scale_colours(image, content)
    if sixteen is not None:
        return sixteen
    if image.has_transparency_data:
        return image.convert("RGBA")
    return convert(image, "L" if image.mode in ("1", "L") else "RGB")


def convert(image: Image.Image, mode: str) -> Image.Image:
    """Convert a picture to a mode, without a copy where it has that mode."""
    return image if image.mode == mode else image.convert(mode)


def on_background(pixels: np.ndarray) -> np.ndarray:
    """Lay a picture with transparency on the background that shows its ink.

    Light ink is laid on black, dark ink on white. The ink is light if the mean luminance of its
    pixels, each with its opacity as weight, is above the middle; a picture without any is white.

    Args:
        pixels: H x W x 4, uint8.

    Returns:
        H x W x 3, uint8.
    """
    colours, opacity = pixels[..., :3].astype(np.float64), pixels[..., 3:] / 255.0
    ink = float((colours @ np.array(_LUMA) * opacity[..., 0]).sum())
    background = 0 if ink > _LIGHT * float(opacity.sum()) else 255
    return np.rint(colours * opacity + background * (1 - opacity)).astype(np.uint8)


def contrast_problem(pixels: np.ndarray) -> str:
    """Say that a picture (C x H x W, uint8) has hardly any range of values; "" where it has."""
    spread = int((pixels.max(axis=(1, 2)).astype(int) - pixels.min(axis=(1, 2))).max())
    if spread == 0:
        return "all its pixels have the same value"
    if spread < MIN_RANGE:
        return f"it has hardly any contrast: its values differ by at most {spread} of 255"
    return ""


def _full_range(image: Image.Image, maximum: int) -> int:
    """Return the value that is white in a picture of up to 16 bits."""
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        for said in (
            2 ** _first(tags.get(_BITS_PER_SAMPLE)) - 1,
            _first(tags.get(_MAX_SAMPLE_VALUE)),
        ):
            if maximum <= said < 2**16 - 1:
                return said
    return _smallest_range(maximum)


def _first(value: object) -> int:
    """Return the first number of a TIFF tag; 0 where it has none."""
    first = value[0] if isinstance(value, tuple) and value else value
    return first if isinstance(first, int) else 0


def _smallest_range(maximum: float) -> int:
    return next(2**bits - 1 for bits in _DEPTHS if maximum < 2**bits)


def _scale_32_bits(image: Image.Image) -> Image.Image:
    """Scale a picture of 32-bit whole numbers or floats, or of a PGM with more than 8 bits."""
    values = np.array(image, np.float32)
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high < 2 ** _DEPTHS[-1]):  # also false for NaN
        raise UnusablePixels(
            "it has values that are negative, not finite or above 32 bits; save it with 8 or 16 "
            "bits"
        )
    if image.format == "PPM" and image.mode == "I":
        full = 2**16 - 1  # Pillow scaled it by the maximum that the file says
    else:
        full = 1 if image.mode == "F" and high <= 1 else _smallest_range(high)
    values *= 255 / full
    values += 0.5
    return Image.fromarray(values.astype(np.uint8))


def _scale_colours(image: Image.Image, content: bytes) -> Image.Image | None:
    """Scale a colour picture of 16 bits that holds fewer; None for all others.

    Pillow reads the high bytes only. The low bytes are those of the other byte order.
    """
    if not isinstance(image, ImageFile.ImageFile) or not _low_bytes(image.tile):
        return None
    high = np.asarray(image)  # `tile` is empty from here
    if high[..., :3].max() >= 1 << 6:  # more than 14 bits
        return None
    with Image.open(BytesIO(content), formats=(str(image.format),)) as again:
        assert isinstance(again, ImageFile.ImageFile)
        is_grey = again.tile[0].args == _GREY_AND_OPACITY
        again.tile = _low_bytes(again.tile)
        low = np.asarray(again)
    if is_grey:
        low = low[..., [1, 1, 1, 3]]
    top = max(_rows(high, low, rows)[..., :3].max() for rows in _blocks(len(high)))
    scale = _scale_table(_smallest_range(int(top)))
    scaled = high.copy()  # the high byte of the opacity is right
    for rows in _blocks(len(high)):
        scaled[rows, :, :3] = scale[_rows(high, low, rows)[..., :3]]
    return Image.fromarray(scaled)


def _blocks(height: int) -> Generator[slice]:
    """Divide a picture into blocks of rows, so that few of its values are in memory twice."""
    return (slice(start, start + _BLOCK_ROWS) for start in range(0, height, _BLOCK_ROWS))


def _rows(high: np.ndarray, low: np.ndarray, rows: slice) -> np.ndarray:
    """Join high and low bytes of some rows: uint16."""
    return high[rows].astype(np.uint16) << 8 | low[rows]


def _scale_table(full: int) -> np.ndarray:
    """Return the 8-bit value of each 16-bit value, where ``full`` is white."""
    scaled = (np.arange(1 << 16, dtype=np.uint32) * 255 + full // 2) // full
    return np.minimum(scaled, 255).astype(np.uint8)


def _low_bytes(tiles: list[ImageFile._Tile]) -> list[ImageFile._Tile]:
    """Return the parts of a file so that the low bytes are read; [] if colours have 8 bits."""
    changed = []
    for tile in tiles:
        raw, *others = (tile.args,) if isinstance(tile.args, str) else tile.args or ("",)
        if raw not in _LOW_BYTES:
            return []
        low = _LOW_BYTES[raw]
        changed.append(tile._replace(args=(low, *others) if others else low))
    return changed

"""Decoder of picture files to arrays of a fixed size, with limits on memory."""

from __future__ import annotations

import warnings
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 50_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")

# Pillow has a limit of its own, above MAX_PIXELS; make its warning an error.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


class BrokenPicture(Exception):
    """A picture cannot be used; the message is the reason."""


def decode(content: bytes, size: int, channels: int) -> np.ndarray:
    """Decode a picture and resize it.

    The centre square is resized with antialiasing (bicubic); a picture that has the size keeps its
    pixels. The EXIF orientation is applied, 16 bits become 8, and transparency becomes white.

    Args:
        content: The bytes of a file in one of `FORMATS`; the first frame of an animation is used.
        channels: 3 for colour, 1 for grey.

    Returns:
        channels x size x size, uint8.

    Raises:
        BrokenPicture: It is not a picture, is damaged, or has more than `MAX_PIXELS` pixels.
    """
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            return _resize_to(image, size, channels)
    except BrokenPicture:
        raise
    except Exception as error:  # on damaged files, decoders raise errors of any type
        raise BrokenPicture(_reason(error)) from error


def _resize_to(image: Image.Image, size: int, channels: int) -> np.ndarray:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise BrokenPicture(
            f"it has {width} x {height} pixels; the maximum is {MAX_PIXELS:,} pixels in total"
        )
    short = min(width, height)
    # Decode a JPEG at 1/2, 1/4 or 1/8 to save time and memory, at twice the target size or more.
    image.draft(image.mode, (2 * size * width // short, 2 * size * height // short))
    ImageOps.exif_transpose(image, in_place=True)
    picture = _to_eight_bits(image)
    if picture.size != (size, size):
        picture = picture.resize(
            (size, size), Image.Resampling.BICUBIC, box=_centre_square(picture)
        )
    if picture.mode == "RGBA":
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    pixels = np.asarray(_convert(picture, "RGB" if channels == 3 else "L"))
    return pixels.transpose(2, 0, 1) if channels == 3 else pixels[None]


def _centre_square(image: Image.Image) -> tuple[int, int, int, int]:
    """Return the largest centred square: left, top, right, bottom."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return left, top, left + side, top + side


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Convert the picture to mode L, RGB or RGBA."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise BrokenPicture("it has 32 bits per pixel; use 8 or 16 bits")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return _convert(image, "L" if image.mode in ("1", "L") else "RGB")


def _convert(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f"its format is not one of {', '.join(FORMATS)}"
    return str(error) or type(error).__name__

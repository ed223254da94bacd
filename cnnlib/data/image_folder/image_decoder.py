"""One encoded picture to the bytes that a network is fed, with bounds on what decoding may cost."""

from __future__ import annotations

import warnings
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 50_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")

# Pillow's own limit lies higher than MAX_PIXELS, and passing it shall not only print a warning.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


class BrokenPicture(Exception):
    """A picture that cannot be used, and why."""


def decode(content: bytes, size: int, channels: int) -> np.ndarray:
    """Decode a picture and bring it to size.

    The square in its middle is resized with antialiasing (bicubic); one that has the size already
    keeps its pixels. A picture is turned upright as its camera noted, 16 bits become 8, and what is
    transparent becomes white.

    Args:
        content: The bytes of a file in one of `FORMATS`; of an animation the first picture is
            taken.
        channels: 3 for colour, 1 for grey.

    Returns:
        channels x size x size, uint8.

    Raises:
        BrokenPicture: It is none, is damaged, or has more than `MAX_PIXELS` pixels.
    """
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            return _brought_to_size(image, size, channels)
    except BrokenPicture:
        raise
    except Exception as error:  # decoders fail in every way there is on a damaged file
        raise BrokenPicture(_reason(error)) from error


def _brought_to_size(image: Image.Image, size: int, channels: int) -> np.ndarray:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise BrokenPicture(
            f"it has {width} x {height} pixels; at most {MAX_PIXELS:,} in all are decoded"
        )
    short = min(width, height)
    # A JPEG can be decoded at 1/2, 1/4 or 1/8 for less time and memory; twice the size is enough.
    image.draft(image.mode, (2 * size * width // short, 2 * size * height // short))
    ImageOps.exif_transpose(image, in_place=True)
    picture = _eight_bits(image)
    if picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BICUBIC, box=_middle(picture))
    if picture.mode == "RGBA":
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    pixels = np.asarray(_in_mode(picture, "RGB" if channels == 3 else "L"))
    return pixels.transpose(2, 0, 1) if channels == 3 else pixels[None]


def _middle(image: Image.Image) -> tuple[int, int, int, int]:
    """The largest square in the middle: left, top, right, bottom."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return left, top, left + side, top + side


def _eight_bits(image: Image.Image) -> Image.Image:
    """The picture as L, RGB or RGBA."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise BrokenPicture("it has 32 bits a pixel; 8 and 16 are read")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return _in_mode(image, "L" if image.mode in ("1", "L") else "RGB")


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f"it is none of {', '.join(FORMATS)}"
    return str(error) or type(error).__name__

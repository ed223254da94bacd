"""Decoder of picture files to arrays of a fixed size, with limits on memory.

Everything in the lab that opens a person's picture opens it here.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from cnnlib.data.image_folder.image_formats import readable_formats, unreadable_reason
from cnnlib.data.image_folder.image_metadata import (
    SIDEWAYS,
    metadata_of,
    orientation,
    split_metadata,
    turned,
)
from cnnlib.data.image_folder.image_pixels import (
    UnusablePixels,
    contrast_problem,
    convert,
    on_background,
    to_eight_bits,
)
from cnnlib.vocabulary.datasets import CROP, PAD

MAX_PIXELS = 50_000_000

# Pillow warns of odd metadata, which are not used, and logs why it refuses a file. Its own limit of
# pixels is above MAX_PIXELS; its warning of that is an error.
logging.getLogger("PIL").addHandler(logging.NullHandler())
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


class BrokenPicture(Exception):
    """A picture cannot be used; the message is the reason."""


@dataclass(frozen=True, eq=False)
class DecodedPicture:
    """A picture as a network sees it.

    Args:
        pixels: Channels x size x size, uint8.
        width: Of the whole picture, in pixels, upright.
        height: Likewise.
    """

    pixels: np.ndarray
    width: int
    height: int

    @property
    def problem(self) -> str:
        """What is wrong with its contrast, as the end of a sentence; "" if nothing is."""
        return contrast_problem(self.pixels)


def decode(content: bytes, size: int, channels: int, fit: str = CROP, name: str = "") -> np.ndarray:
    """Decode a picture and resize it: the pixels of `decode_picture`."""
    return decode_picture(content, size, channels, fit, name).pixels


def decode_picture(
    content: bytes, size: int, channels: int, fit: str = CROP, name: str = ""
) -> DecodedPicture:
    """Decode a picture, turn it upright, and resize it to a square.

    It is resized with antialiasing (bicubic); a picture that has the size keeps its pixels. Of the
    metadata only the orientation is read. Values are scaled to 8 bits by the range that they have
    (`to_eight_bits`), and transparency is laid on black or white, whichever shows the ink
    (`on_background`).

    Args:
        content: The bytes of a file; its format is found by content. The first frame of an
            animation is used.
        channels: 3 for colour, 1 for grey.
        fit: How a picture that is not square is fitted, one of `FITS`. Padding has the median
            colour of the picture's edge; of a picture with transparency it is transparent.
        name: Name of the file, for the reason why it cannot be read.

    Raises:
        BrokenPicture: It is not a picture, is damaged, or has more than `MAX_PIXELS` pixels.
    """
    picture, metadata = split_metadata(content)
    try:
        with Image.open(BytesIO(picture), formats=readable_formats()) as image:
            size_in_file = image.size
            _check_size(*size_in_file)
            _reduce_while_decoding(image, size)
            metadata += metadata_of(image)
            eight_bits = to_eight_bits(image, picture)
            eight_bits.load()
            _check_size(*eight_bits.size)  # an icon can hold more than its header says
    except BrokenPicture:
        raise
    except UnusablePixels as error:
        raise BrokenPicture(str(error)) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BrokenPicture(f"it has more than {MAX_PIXELS:,} pixels, the maximum") from error
    except MemoryError as error:
        raise BrokenPicture("there is too little memory to read it; save it smaller") from error
    except Exception as error:  # on damaged files, decoders raise errors of any type
        raise BrokenPicture(unreadable_reason(content, name)) from error
    turn = orientation(metadata)
    pixels = _as_square(turned(eight_bits, turn), size, channels, fit)
    return DecodedPicture(pixels, *(size_in_file[::-1] if turn in SIDEWAYS else size_in_file))


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise BrokenPicture(
            f"it has {width} x {height} pixels; the maximum is {MAX_PIXELS:,} pixels in total"
        )


def _reduce_while_decoding(image: Image.Image, size: int) -> None:
    """Decode a JPEG at 1/2, 1/4 or 1/8 to save time and memory, at twice the target or more."""
    width, height = image.size
    short = min(width, height)
    image.draft(image.mode, (2 * size * width // short, 2 * size * height // short))


def _as_square(image: Image.Image, size: int, channels: int, fit: str) -> np.ndarray:
    """Fit a picture of mode L, RGB or RGBA into a square: channels x size x size."""
    picture = _fitted(image, size, fit)
    if picture.mode == "RGBA":
        picture = Image.fromarray(on_background(np.asarray(picture)))
    pixels = np.asarray(convert(picture, "RGB" if channels == 3 else "L"))
    return pixels.transpose(2, 0, 1) if channels == 3 else pixels[None]


def _fitted(image: Image.Image, size: int, fit: str) -> Image.Image:
    if image.size == (size, size):
        return image
    if fit == PAD:
        return _padded(image, size)
    box = _centre_square(image) if fit == CROP else None
    return image.resize((size, size), Image.Resampling.BICUBIC, box=box)


def _padded(image: Image.Image, size: int) -> Image.Image:
    """Reduce or enlarge the whole picture, and fill the square around it."""
    scale = size / max(image.size)
    inner = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    small = image if image.size == inner else image.resize(inner, Image.Resampling.BICUBIC)
    square = Image.new(image.mode, (size, size), _edge_colour(small))
    square.paste(small, ((size - inner[0]) // 2, (size - inner[1]) // 2))
    return square


def _edge_colour(image: Image.Image) -> tuple[int, ...]:
    """Return the median colour of a picture's edge; transparent if it has transparency."""
    if image.mode == "RGBA":
        return 0, 0, 0, 0
    pixels = np.atleast_3d(np.asarray(image))
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return tuple(int(value) for value in np.median(edge, axis=0))


def _centre_square(image: Image.Image) -> tuple[int, int, int, int]:
    """Return the largest centred square: left, top, right, bottom."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return left, top, left + side, top + side

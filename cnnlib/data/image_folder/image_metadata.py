"""Metadata of picture files: only the orientation is read, so no other field can be in the way."""

from __future__ import annotations

import re
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

from PIL.Image import Transpose

if TYPE_CHECKING:
    from collections.abc import Generator

    from PIL import Image

_ORIENTATION = 0x0112  # the tag of the Exif standard
_SHORT = 3  # the type of a field of two bytes
_EXIF = re.compile(rb"(?:Exif\0\0|eXIf)(?=II\*\0|MM\0\*)")  # before Exif in a JPEG, and in a PNG
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:=["\']|>)([1-8])')
_TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)  # orientations that swap width and height
_PNG_START = b"\x89PNG\r\n\x1a\n"
_PNG_PICTURE = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")  # the chunks that hold the pixels
_JPEG_START, _JPEG_SCAN = b"\xff\xd8", 0xDA
# Segments of a JPEG for applications, but the two that say how its colours are stored; comments.
_JPEG_METADATA = {*range(0xE1, 0xEE), 0xEF, 0xFE}


def split_metadata(content: bytes) -> tuple[bytes, bytes]:
    """Split a JPEG or PNG into the picture and its metadata; others are returned as they are."""
    if content.startswith(_JPEG_START):
        parts = list(_jpeg_segments(content))
        start = _JPEG_START
    elif content.startswith(_PNG_START):
        parts = list(_png_chunks(content))
        start = _PNG_START
    else:
        return content, b""
    picture = b"".join(part for part, is_picture in parts if is_picture)
    return start + picture, b"".join(part for part, is_picture in parts if not is_picture)


def orientation(metadata: bytes) -> int:
    """Find the orientation in a block of metadata, 1..8; 1 where it has none, or is damaged."""
    exif = _EXIF.search(metadata)
    found = _exif_orientation(metadata[exif.end() :]) if exif else 0
    if found:
        return found
    xmp = _XMP_ORIENTATION.search(metadata)
    return int(xmp[1]) if xmp else 1


def metadata_of(image: Image.Image) -> bytes:
    """Return the Exif and XMP of an opened picture; none of a TIFF, which Pillow turns itself."""
    if image.format == "TIFF":
        return b""
    exif, xmp = image.info.get("exif") or b"", image.info.get("xmp") or b""  # HEIC has None
    return b"Exif\0\0" + exif + (xmp.encode() if isinstance(xmp, str) else xmp)


def turned(image: Image.Image, value: int) -> Image.Image:
    """Turn a picture as its orientation says."""
    return image.transpose(_TURNS[value]) if value in _TURNS else image


def _exif_orientation(exif: bytes) -> int:
    """Return the orientation in the first directory of a TIFF header; 0 where it has none."""
    order = "<" if exif.startswith(b"II") else ">"
    with suppress(struct.error):  # the directory ends too early: it has no orientation
        [start] = struct.unpack_from(f"{order}I", exif, 4)
        [count] = struct.unpack_from(f"{order}H", exif, start)
        for field in range(count):
            at = start + 2 + 12 * field
            tag, kind = struct.unpack_from(f"{order}HH", exif, at)
            if tag == _ORIENTATION:
                [value] = struct.unpack_from(
                    f"{order}{'H' if kind == _SHORT else 'I'}", exif, at + 8
                )
                return value if 1 <= value <= 8 else 0
    return 0


def _jpeg_segments(content: bytes) -> Generator[tuple[bytes, bool]]:
    """Yield the segments of a JPEG up to its pixels, then the rest; whether each is the picture."""
    at = len(_JPEG_START)
    while at + 4 <= len(content) and content[at] == 0xFF and content[at + 1] != _JPEG_SCAN:
        if content[at + 1] == 0xFF:  # a byte that fills
            at += 1
            continue
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4])
        yield content[at:end], content[at + 1] not in _JPEG_METADATA
        at = end
    yield content[at:], True


def _png_chunks(content: bytes) -> Generator[tuple[bytes, bool]]:
    """Yield the chunks of a PNG, and whether each belongs to the picture."""
    at = len(_PNG_START)
    while at < len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4])  # length, kind, data, checksum
        yield content[at:end], content[at + 4 : at + 8] in _PNG_PICTURE
        at = end

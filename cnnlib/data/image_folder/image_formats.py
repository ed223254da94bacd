"""Picture formats: which are read, and the reason why a file of another one cannot be used."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from PIL import Image

# Formats that Pillow decodes itself and within bounds. Left out are those that start another
# program (EPS), unpack without a limit (FITS), are no pictures, or are read on one system only.
_PILLOW_FORMATS = (
    *("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF", "JPEG2000"),
    *("ICO", "CUR", "DIB", "DDS", "ICNS", "PCX", "PSD", "QOI", "SGI", "SUN", "XBM", "XPM", "TGA"),
)
_HEIF_PLUGIN = "pillow_heif"  # the package of the extra `heic`
HEIC, AVIF, ZIP = "HEIC", "AVIF", "a zip"

# Formats by the first bytes of a file. Labels that are not names of `_PILLOW_FORMATS` or of
# `_FORMAT_OF` are formats that are not read.
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    *((start, "TIFF") for start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    *((b"P" + kind, "PPM") for kind in (b"1", b"2", b"3", b"4", b"5", b"6", b"f", b"F")),
    *((start, "JPEG 2000") for start in (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")),
    (b"\0\0\1\0", "ICO"),
    (b"\0\0\2\0", "CUR"),
    (b"qoif", "QOI"),
    (b"8BPS", "PSD"),
    (b"DDS ", "DDS"),
    (b"icns", "ICNS"),
    (b"\x59\xa6\x6a\x95", "SUN"),
    (b"/* XPM */", "XPM"),
    (b"%PDF", "PDF"),
    *((start, "EPS") for start in (b"%!PS", b"\xc5\xd0\xd3\xc6")),
    *((start, "JPEG XL") for start in (b"\xff\x0a", b"\0\0\0\x0cJXL ")),
    (b"SIMPLE  =", "FITS"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"gimp xcf", "XCF"),
    *((start, "a camera's raw format") for start in (b"FUJIFILMCCD-RAW", b"IIRO", b"IIU\0")),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "HDF5"),
    (b"MATLAB", "MATLAB"),
    *((start, ZIP) for start in (b"PK\3\4", b"PK\5\6")),
    (b"\x1f\x8b", "gzip"),
    (b"Rar!", "RAR"),
    (b"7z\xbc\xaf", "7z"),
)
_FORMAT_OF = {"JPEG 2000": "JPEG2000", "WebP": "WEBP", HEIC: "HEIF"}  # Pillow's names
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_SUFFIX_LABELS = {
    **{f".{label.lower()}": label for label in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "AVIF")},
    ".jpg": "JPEG",
    ".jfif": "JPEG",
    ".jpe": "JPEG",
    ".tif": "TIFF",
    ".webp": "WebP",
    ".heic": HEIC,
    ".heif": HEIC,
    ".ico": "ICO",
    ".jp2": "JPEG 2000",
    ".tga": "TGA",
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm"), "PPM"),
}
_INSTEAD = "save it as PNG or JPEG"


@cache
def readable_formats() -> tuple[str, ...]:
    """Return Pillow's names of the formats that are read here, HEIF with its plug-in only."""
    Image.init()
    _silence_libtiff()
    if find_spec(_HEIF_PLUGIN):
        import_module(_HEIF_PLUGIN).register_heif_opener()
    return tuple(name for name in (*_PILLOW_FORMATS, "HEIF") if name in Image.OPEN)


def format_label(content: bytes) -> str:
    """Return the format that the first bytes of a file show; "" if it is not known.

    Example:
        >>> format_label(b"GIF89a")
        'GIF'
    """
    if content[4:8] == b"ftyp":
        return _label_by_brand(content)
    if content[:4] == b"RIFF":
        return "WebP" if content[8:12] == b"WEBP" else "a sound or a video"
    if content[128:132] == b"DICM":
        return "DICOM"
    start = content[:1000].lstrip().lower()
    if b"<svg" in start:
        return "SVG"
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    return next((label for first, label in _SIGNATURES if content.startswith(first)), "")


def unreadable_reason(content: bytes, name: str = "") -> str:
    """Say why a file cannot be read as a picture: its format, and what to do.

    Args:
        name: Name of the file, whose suffix is named where the content shows no format.
    """
    if not content:
        return "the file is empty; copy the original again"
    label = format_label(content)
    if label == HEIC and not find_spec(_HEIF_PLUGIN):
        return (
            "it is HEIC, which needs the extra cnnlib[heic] (pip install pillow-heif); install "
            "that, or save it as JPEG"
        )
    if label and _FORMAT_OF.get(label, label) in readable_formats():
        return f"it is {label}, but damaged or incomplete; copy the original again"
    if label:
        return f"it is {label}, which CNN Lab does not read; {_INSTEAD}"
    expected = _SUFFIX_LABELS.get(PurePosixPath(name).suffix.lower())
    if expected:
        return f"its content is neither {expected} nor another known picture format; {_INSTEAD}"
    return f"its content is not a known picture format; {_INSTEAD}"


def _silence_libtiff() -> None:
    """Turn off what libtiff prints of damaged files, where Pillow brings it as a library."""
    folder = Path(Image.__file__).parent
    for file in (*folder.parent.glob("pillow.libs/libtiff*"), *folder.glob(".dylibs/libtiff*")):
        library = ctypes.CDLL(str(file))  # the one that Pillow has loaded
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)


def _label_by_brand(content: bytes) -> str:
    """Return the format of an ISO base media file (ISO 14496-12) by the brands in its header."""
    end = int.from_bytes(content[:4])
    major, *compatible = (
        content[start : start + 4] for start in (8, *range(16, min(end, 256, len(content)), 4))
    )
    if major in (b"avif", b"avis") or (major in (b"mif1", b"msf1") and b"avif" in compatible):
        return AVIF
    if major in _HEIC_BRANDS:
        return HEIC
    return "a camera's raw format" if major == b"crx " else "a sound or a video"

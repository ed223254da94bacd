"""The picture decoder: sizes, colours, formats, and refused files."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sample_data import encoded

from cnnlib.data.image_folder.image_decoder import (
    MAX_PIXELS,
    BrokenPicture,
    decode,
    decode_picture,
)
from cnnlib.data.image_folder.image_pixels import on_background

CASES = Path(__file__).parents[2] / "cases"


def saved(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png_of_sixteen_bits(pixels: np.ndarray) -> bytes:
    """Build a PNG of H x W x 2 (grey, opacity), 3 or 4 samples of 16 bits; Pillow writes none."""
    height, width, samples = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[samples], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*each) for each in chunks)


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_a_picture_of_the_right_size_keeps_its_pixels(form: str):
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    pixels = decode(saved(Image.fromarray(noise), form), size=8, channels=3)
    assert np.array_equal(pixels, noise.transpose(2, 0, 1))


FORMS = (
    *("PNG", "JPEG", "MPO", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF", "JPEG2000", "ICO", "DIB"),
    *("DDS", "ICNS", "PCX", "SGI", "QOI", "TGA"),
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_format_is_read(form: str, channels: int):
    pixels = decode(encoded(form=form, size=(20, 30)), size=8, channels=channels)
    assert (pixels.shape, pixels.dtype) == ((channels, 8, 8), np.uint8)


def test_the_square_in_the_middle_is_kept():
    wide = np.zeros((10, 30, 3), dtype=np.uint8)
    wide[:, 10:20] = 200  # the middle square is grey all over
    assert np.all(decode(saved(Image.fromarray(wide)), size=10, channels=3) == 200)


def test_resizing_averages_over_the_pixels_it_joins():
    # A chessboard of single pixels, reduced ten times, is uniformly grey.
    board = (np.indices((100, 100)).sum(0) % 2 * 255).astype(np.uint8)
    pixels = decode(saved(Image.fromarray(board)), size=10, channels=1).astype(int)
    assert np.abs(pixels - 127).max() <= 2


def test_a_large_jpeg_is_decoded_at_a_smaller_scale_and_looks_the_same():
    steps = np.linspace(0, 255, 800).astype(np.uint8)
    image = Image.fromarray(np.broadcast_to(steps, (800, 800)).copy())
    small = decode(saved(image, "JPEG", quality=95), size=10, channels=1).astype(int)
    whole = decode(saved(image), size=10, channels=1).astype(int)
    assert np.abs(small - whole).max() <= 2


def test_the_exif_orientation_is_applied():
    left_white = Image.fromarray(np.array([[255, 0], [255, 0]], dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to the right: left becomes top
    pixels = decode(saved(left_white, exif=exif), size=2, channels=1)[0]
    assert pixels.tolist() == [[255, 255], [0, 0]]


def test_dark_ink_on_nothing_is_laid_on_white():
    half = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    half.paste((255, 0, 0, 255), (0, 0, 2, 4))  # luminance 76
    pixels = decode(saved(half), size=4, channels=3)
    assert pixels[:, 0, 0].tolist() == [255, 0, 0]
    assert pixels[:, 0, 3].tolist() == [255, 255, 255]


def test_light_ink_on_nothing_is_laid_on_black():
    half = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    half.paste((255, 255, 0, 255), (0, 0, 2, 4))  # luminance 226
    pixels = decode(saved(half), size=4, channels=3)
    assert pixels[:, 0, 0].tolist() == [255, 255, 0]
    assert pixels[:, 0, 3].tolist() == [0, 0, 0]


def test_the_ink_counts_by_its_opacity():
    # Luminance 255 with opacity 0.2 and 0 with opacity 1: mean 255 * 0.2 / 1.2 = 42, dark.
    pixels = np.zeros((1, 2, 4), np.uint8)
    pixels[0] = [255, 255, 255, 51], [0, 0, 0, 255]
    assert on_background(pixels)[0].tolist() == [[255] * 3, [0] * 3]


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF", "GIF"])
def test_two_drawings_in_white_ink_are_two_pictures(form: str):
    one, seven = (np.zeros((8, 8, 4), np.uint8) for _ in range(2))
    one[1:7, 4] = seven[1, 1:7] = 255
    first, second = (saved(Image.fromarray(ink), form) for ink in (one, seven))
    assert decode(first, size=8, channels=1)[0].tolist() == one[..., 3].tolist()
    assert not np.array_equal(decode(first, 8, 1), decode(second, 8, 1))


def test_a_palette_with_a_transparent_entry_only_becomes_white():
    image = Image.new("P", (2, 2), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    content = saved(image, transparency=1)
    assert decode(content, size=2, channels=3)[:, 0, 0].tolist() == [255, 255, 255]


def test_sixteen_bits_become_eight():
    deep = Image.fromarray(np.array([[0, 256], [32768, 65535]], dtype=np.uint16))
    assert decode(saved(deep), size=2, channels=1)[0].tolist() == [[0, 1], [128, 255]]


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_a_file_of_sixteen_bits_is_scaled_by_the_bits_that_it_holds(form: str, bits: int):
    top = 2**bits - 1
    deep = Image.fromarray(np.array([[0, top // 2 + 1], [top // 4 + 1, top]], dtype=np.uint16))
    pixels = decode(saved(deep, form), size=2, channels=1)[0]
    assert pixels.tolist() == [[0, 128], [64, 255]]


def raw_tiff(pixels: np.ndarray, bits: int, **tags: int) -> bytes:
    """Build an uncompressed TIFF with samples of 16 bits."""
    height, width, samples = pixels.shape
    fields = {256: width, 257: height, 258: bits, 259: 1, 262: 1 if samples == 1 else 2}
    fields |= {273: 400, 277: samples, 278: height, 279: pixels.nbytes}
    fields |= {int(tag[1:]): value for tag, value in tags.items()}
    content = struct.pack("<2sHIH", b"II", 42, 8, len(fields))
    for tag, value in sorted(fields.items()):
        if tag == 258 and samples > 1:
            content += struct.pack("<HHII", tag, 3, samples, 300)
        else:
            content += struct.pack("<HHII", tag, 4, 1, value)
    content = content.ljust(300, b"\0") + struct.pack(f"<{samples}H", *[bits] * samples)
    return content.ljust(400, b"\0") + pixels.astype("<u2").tobytes()


def test_a_tiff_that_says_its_largest_value_is_scaled_by_it():
    # Without the tag 1,000 would be 250 of 255: its smallest range is 10 bits.
    pixels = np.array([[[0], [1000]]])
    assert decode(raw_tiff(pixels, 16, t281=4095), 2, 1, "stretch").max() == 62  # 1000 / 4095 * 255


@pytest.mark.parametrize("bits", [8, 12, 14, 16])
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_colours_of_sixteen_bits_are_scaled_by_the_bits_that_they_hold(form: str, bits: int):
    top = 2**bits - 1
    pixels = np.array([[[0, 0, top], [top, top // 2 + 1, 0]], [[top // 4 + 1, 0, 0], [0, 0, 0]]])
    content = raw_tiff(pixels, 16) if form == "TIFF" else png_of_sixteen_bits(pixels)
    red, green, blue = decode(content, size=2, channels=3)
    assert red.tolist() == [[0, 255], [64, 0]]
    assert (green[0, 1], blue[0, 0]) == (128, 255)


@pytest.mark.parametrize("samples", [2, 4])
def test_ink_of_twelve_bits_with_opacity_is_scaled_too(samples: int):
    pixels = np.zeros((2, 2, samples), np.int64)
    pixels[0] = 4095
    pixels[0, :, -1] = 65535  # opaque
    found = decode(png_of_sixteen_bits(pixels), size=2, channels=1)
    assert found[0].tolist() == [[255, 255], [0, 0]]


def test_a_pgm_is_scaled_by_the_maximum_that_it_says():
    values = np.array([0, 4095, 1000, 500], ">u2").tobytes()
    pixels = decode(b"P5\n2 2\n4095\n" + values, size=2, channels=1)[0]
    assert pixels.tolist() == [[0, 255], [62, 31]]  # 1000 / 4095 * 255 = 62.3, and half of it
    dark = decode(b"P5\n2 2\n4095\n" + np.array([0, 400, 0, 0], ">u2").tobytes(), 2, 1)
    assert dark.max() == 25  # 400 / 4095 * 255 = 24.9: the file says that this is dark


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0, 0.5], [0.25, 1]], np.float32), [[0, 128], [64, 255]]),
        (np.array([[0, 128], [64, 255]], np.float32), [[0, 128], [64, 255]]),
        (np.array([[0, 2048], [1024, 4095]], np.int32), [[0, 128], [64, 255]]),
        (np.array([[0, 2**15], [2**14, 2**16 - 1]], np.int32), [[0, 128], [64, 255]]),
    ],
)
def test_thirty_two_bits_are_scaled_by_the_range_that_they_hold(values, expected):
    content = saved(Image.fromarray(values), "TIFF")
    assert decode(content, size=2, channels=1)[0].tolist() == expected


def test_black_and_white_is_read_as_grey():
    image = Image.new("1", (2, 2), 1)
    assert np.all(decode(saved(image), size=2, channels=3) == 255)


def test_the_first_frame_of_an_animation_is_used():
    frames = [Image.new("L", (4, 4), grey) for grey in (255, 0)]
    content = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.all(decode(content, size=4, channels=1) == 255)


# -- contrast --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([0, 0], "all its pixels have the same value"),
        ([7, 9], "it has hardly any contrast: its values differ by at most 2 of 255"),
        ([100, 116], ""),
    ],
)
def test_a_picture_with_hardly_any_range_is_said(values: list[int], sentence: str):
    content = saved(Image.fromarray(np.array([values, values], np.uint8)))
    assert decode_picture(content, size=2, channels=3).problem == sentence


def test_a_plain_colour_has_no_contrast():
    content = saved(Image.new("RGB", (4, 4), (255, 0, 0)))
    assert decode_picture(content, size=4, channels=3).problem.startswith("all its pixels")


# -- fit -------------------------------------------------------------------------------------------


def test_padding_keeps_the_whole_picture_and_has_the_colour_of_its_edge():
    wide = np.full((2, 6, 3), (10, 20, 30), np.uint8)
    wide[0, 0] = wide[1, 5] = 255  # 2 of 12 pixels of the edge
    pixels = decode(saved(Image.fromarray(wide)), size=6, channels=3, fit="pad")
    assert np.array_equal(pixels[:, 2:4], wide.transpose(2, 0, 1))
    assert np.all(pixels[:, :2].transpose(1, 2, 0) == (10, 20, 30))
    assert np.all(pixels[:, 4:].transpose(1, 2, 0) == (10, 20, 30))


def test_the_padding_of_a_transparent_picture_is_its_background():
    ink = np.zeros((2, 4, 4), np.uint8)
    ink[:, 1] = 255
    pixels = decode(saved(Image.fromarray(ink)), size=4, channels=1, fit="pad")[0]
    assert pixels.tolist() == [[0] * 4, [0, 255, 0, 0], [0, 255, 0, 0], [0] * 4]


def test_stretching_keeps_all_columns():
    steps = np.array([[0, 255]], np.uint8)
    pixels = decode(saved(Image.fromarray(steps)), size=2, channels=1, fit="stretch")[0]
    assert pixels.tolist() == [[0, 255], [0, 255]]


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("size", [(1, 300), (300, 1), (1, 1), (8, 8)])
def test_every_fit_takes_every_shape(fit: str, size: tuple[int, int]):
    assert decode(encoded(size=size), size=8, channels=3, fit=fit).shape == (3, 8, 8)


# -- metadata --------------------------------------------------------------------------------------


def exif_block(orientation: int, order: str = "<") -> bytes:
    """Build an Exif block with an orientation, and a resolution of 0/0."""
    start = b"II*\0" if order == "<" else b"MM\0*"
    fields = struct.pack(f"{order}HHHIHH", 2, 0x0112, 3, 1, orientation, 0)
    fields += struct.pack(f"{order}HHII", 282, 5, 1, 38)
    return start + struct.pack(f"{order}I", 8) + fields + bytes(4 + 8)


LEFT_WHITE = np.repeat([[255] * 16 + [0] * 16], 32, 0).astype(np.uint8)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_an_odd_metadata_field_is_no_obstacle_and_the_picture_is_turned(form: str, order: str):
    exif = b"Exif\0\0" + exif_block(6, order)
    content = saved(Image.fromarray(LEFT_WHITE).convert("RGB"), form, exif=exif)
    pixels = decode(content, size=32, channels=1)[0].astype(int)
    assert pixels[:14].min() > 250 and pixels[18:].max() < 5


def test_a_tiff_whose_position_lies_outside_the_file_is_used_and_turned():
    deep = (LEFT_WHITE.astype(np.uint16) * 257)[..., None]
    pixels = decode(raw_tiff(deep, 16, t274=6, t34853=0x7FFFFFFF), size=32, channels=1)
    assert np.array_equal(pixels[0], LEFT_WHITE.T)


def test_a_png_with_damaged_and_exploding_texts_is_used():
    noise = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    content = saved(Image.fromarray(noise))
    damaged = png_chunk(b"tEXt", b"Comment\0hello")[:-4] + b"oops"
    exploding = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(100_000_000)))
    short = png_chunk(b"pHYs", b"\0")
    changed = content[:33] + damaged + exploding + short + content[33:]
    assert np.array_equal(decode(changed, size=8, channels=1)[0], noise)


ORIENTED = np.array([[1, 2, 3], [4, 5, 6]])
UPRIGHT = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
}


@pytest.mark.parametrize("value", UPRIGHT)
def test_each_orientation_is_turned_as_the_standard_says(value: int):
    stored = Image.fromarray((ORIENTED * 40).astype(np.uint8))
    found = decode_picture(saved(stored, exif=exif_block(value)), 4, 1, "stretch")
    upright = Image.fromarray((np.array(UPRIGHT[value]) * 40).astype(np.uint8))
    assert np.array_equal(found.pixels, decode(saved(upright), 4, 1, "stretch"))
    assert (found.width, found.height) == upright.size


def test_an_orientation_that_only_xmp_has_is_applied():
    left_white = Image.fromarray(np.array([[255, 0], [255, 0]], dtype=np.uint8))
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>')
    assert decode(saved(left_white, pnginfo=info), 2, 1)[0].tolist() == [[255, 255], [0, 0]]


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_damaged_exif_is_ignored(cut: int):
    noise = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    content = saved(Image.fromarray(noise), exif=exif_block(1)[:cut])
    assert np.array_equal(decode(content, 8, 1)[0], noise)


def test_damaged_pictures_print_nothing_and_warn_of_nothing(tmp_path):
    files = {
        "lzw.tiff": saved(Image.new("L", (64, 64), 9), "TIFF", compression="tiff_lzw"),
        "deflate.tiff": saved(Image.new("L", (64, 64), 9), "TIFF", compression="tiff_deflate"),
        "photo.jpg": saved(Image.new("L", (64, 64)), "JPEG", exif=b"Exif\0\0" + exif_block(6)[:30]),
        "samples.tif": raw_tiff(np.zeros((2, 2, 1)), 16, t277=128),
        "apng.png": saved(Image.new("L", (8, 8))).replace(b"IDAT", b"acTL", 1),
    }
    for name, content in files.items():
        middle = content[:20] + bytes(8) + content[28:] if name.endswith("tiff") else content
        (tmp_path / name).write_bytes(middle)
    program = (
        "import pathlib, sys\n"
        "from cnnlib.data.image_folder.image_decoder import BrokenPicture, decode\n"
        "for file in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n"
        "    try:\n"
        "        decode(file.read_bytes(), 8, 1)\n"
        "    except BrokenPicture as error:\n"
        "        print(file.name, error)\n"
    )
    command = [sys.executable, "-W", "always", "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "lzw.tiff it is TIFF, but damaged or incomplete" in done.stdout


# -- the cases of other people ---------------------------------------------------------------------


def test_white_ink_on_nothing_keeps_its_strokes():
    found = decode_picture((CASES / "white_ink_transparent.png").read_bytes(), 28, 1)
    assert (found.pixels.min(), found.pixels.max(), found.problem) == (0, 255, "")


def test_twelve_bits_in_a_file_of_sixteen_are_not_nearly_black():
    found = decode_picture((CASES / "twelve_bit.png").read_bytes(), 40, 1)
    assert found.pixels.max() == 255 and found.problem == ""


def test_a_photograph_with_an_odd_field_is_used_and_turned():
    found = decode_picture((CASES / "exif_rational.jpg").read_bytes(), 32, 3)
    assert (found.width, found.height) == (40, 60)  # 60 x 40 in the file, orientation 6


def test_pictures_are_read_by_content_and_others_say_their_format():
    reasons = {}
    with zipfile.ZipFile(CASES / "mixed_heic.zip") as archive:
        for name in archive.namelist():
            try:
                decode(archive.read(name), 32, 3, name=name)
            except BrokenPicture as error:
                reasons[name] = str(error)
        assert len(archive.namelist()) - len(reasons) == 2 * 9  # 6 JPEG, PPM, JFIF, PNG
    assert set(reasons) == {f"{c}/h{n}.heic" for c in "ab" for n in range(6)} | {
        "a/x.avif",
        "b/x.avif",
    }
    assert "pip install pillow-heif" in reasons["a/h0.heic"]
    assert "is neither AVIF nor another known picture format" in reasons["b/x.avif"]


# -- HEIC ------------------------------------------------------------------------------------------


def test_heic_is_read_where_its_plug_in_is_installed(tmp_path):
    """A stand-in for the plug-in, which decodes nothing, but is registered and called as it is."""
    (tmp_path / "pillow_heif.py").write_text(
        "from PIL import Image, ImageFile\n"
        "class HeifFile(ImageFile.ImageFile):\n"
        "    format = 'HEIF'\n"
        "    def _open(self):\n"
        "        self._size, self._mode = (2, 2), 'L'\n"
        "        self.info['exif'] = self.info['xmp'] = None\n"
        "        self.tile = [ImageFile._Tile('raw', (0, 0, 2, 2), 32, 'L')]\n"
        "def register_heif_opener():\n"
        "    Image.register_open('HEIF', HeifFile, lambda prefix: prefix[4:12] == b'ftypheic')\n"
    )
    program = (
        "from cnnlib.data.image_folder.image_decoder import decode\n"
        "content = b'\\0\\0\\0\\x18ftypheic'.ljust(32, b'x') + bytes([1, 2, 3, 4])\n"
        "print(decode(content, 2, 1).tolist())\n"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(CASES.parents[1])])}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[[[1, 2], [3, 4]]]"


# -- what is refused -------------------------------------------------------------------------------


def png_claiming(width: int, height: int) -> bytes:
    """Build a PNG of about 100 bytes with any size in its header."""

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = png_chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + data + png_chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [7072, 10_000, 20_000, 2**31 - 1])
def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded(side: int):
    assert side**2 > MAX_PIXELS
    with pytest.raises(BrokenPicture, match=r"pixels|limit|exceed|size"):
        decode(png_claiming(side, side), size=8, channels=3)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the file is empty"),
        (b"Dear diary, ...", "its content is not a known picture format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "it is SVG, which"),
        (b"<!DOCTYPE html><html>404</html>", "it is a web page, which"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", "it is EPS, which"),
        (b"%PDF-1.7", "it is PDF, which CNN Lab does not read; save it as PNG or JPEG"),
        (b"\0\0\0\x18ftypcrx ", "it is a camera's raw format, which"),
        (b"\0\0\0\x18ftypmp42", "it is a sound or a video, which"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic", "it is HEIC, which needs"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "it is AVIF, but damaged"),
        (encoded(size=(64, 64))[:200], "it is PNG, but damaged or incomplete"),
        (encoded(size=(64, 64), form="JPEG")[:1000], "it is JPEG, but damaged or incomplete"),
        (saved(Image.new("F", (4, 4), -1), "TIFF"), "negative, not finite or above 32 bits"),
        (saved(Image.new("F", (4, 4), float("nan")), "TIFF"), "negative, not finite"),
        (saved(Image.new("I", (4, 4), -1), "TIFF"), "negative, not finite"),
    ],
)
def test_damaged_and_other_files_are_refused_with_a_reason(content: bytes, sentence: str):
    with pytest.raises(BrokenPicture, match=sentence):
        decode(content, size=8, channels=3)


@given(
    form=st.sampled_from(FORMS),
    at=st.integers(0, 400),
    noise_bytes=st.binary(min_size=1, max_size=8),
)
def test_a_damaged_picture_is_decoded_or_refused(form: str, at: int, noise_bytes: bytes):
    content = bytearray(encoded(form=form, size=(16, 16)))
    at %= len(content)
    content[at : at + len(noise_bytes)] = noise_bytes
    try:
        assert decode(bytes(content), size=8, channels=3).shape == (3, 8, 8)
    except BrokenPicture as broken:
        assert re.match(r"it is |it has |its content is ", str(broken)), broken

"""The picture decoder: sizes, colours, formats, and refused files."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sample_data import encoded

from cnnlib.data.image_folder.image_decoder import MAX_PIXELS, BrokenPicture, decode


def saved(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF"])
def test_a_picture_of_the_right_size_keeps_its_pixels(form: str):
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    pixels = decode(saved(Image.fromarray(noise), form), size=8, channels=3)
    assert np.array_equal(pixels, noise.transpose(2, 0, 1))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"])
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


def test_transparent_pixels_become_white():
    half = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    half.paste((255, 0, 0, 255), (0, 0, 2, 4))
    pixels = decode(saved(half), size=4, channels=3)
    assert pixels[:, 0, 0].tolist() == [255, 0, 0]
    assert pixels[:, 0, 3].tolist() == [255, 255, 255]


def test_a_palette_with_a_transparent_entry_becomes_white_there():
    image = Image.new("P", (2, 2), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    content = saved(image, transparency=1)
    assert decode(content, size=2, channels=3)[:, 0, 0].tolist() == [255, 255, 255]


def test_sixteen_bits_become_eight():
    deep = Image.fromarray(np.array([[0, 256], [32768, 65535]], dtype=np.uint16))
    assert decode(saved(deep), size=2, channels=1)[0].tolist() == [[0, 1], [128, 255]]


def test_black_and_white_is_read_as_grey():
    image = Image.new("1", (2, 2), 1)
    assert np.all(decode(saved(image), size=2, channels=3) == 255)


def test_the_first_frame_of_an_animation_is_used():
    frames = [Image.new("L", (4, 4), grey) for grey in (255, 0)]
    content = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.all(decode(content, size=4, channels=1) == 255)


# -- what is refused -------------------------------------------------------------------------------


def png_claiming(width: int, height: int) -> bytes:
    """Build a PNG of about 100 bytes with any size in its header."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [7072, 10_000, 20_000, 2**31 - 1])
def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded(side: int):
    assert side**2 > MAX_PIXELS
    with pytest.raises(BrokenPicture, match=r"pixels|limit|exceed|size"):
        decode(png_claiming(side, side), size=8, channels=3)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not one of PNG, JPEG"),
        (b"Dear diary, ...", "not one of PNG, JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not one of PNG, JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\n", "not one of PNG, JPEG"),
        (encoded(size=(64, 64))[:200], "."),
        (encoded(size=(64, 64), form="JPEG")[:1000], "truncated"),
        (saved(Image.new("F", (4, 4)), "TIFF"), "32 bits per pixel"),
        (saved(Image.new("I", (4, 4)), "TIFF"), "32 bits per pixel"),
    ],
)
def test_damaged_and_other_files_are_refused_with_a_reason(content: bytes, sentence: str):
    with pytest.raises(BrokenPicture, match=sentence):
        decode(content, size=8, channels=3)


@given(
    form=st.sampled_from(["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF"]),
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
        assert str(broken)

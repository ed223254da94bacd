"""Convolution agrees with SciPy and torch; the Convolution page accepts typed kernels."""

import io

import numpy as np
import pytest
import torch
from apps import AppTest
from inspecting import a_stroke, open_lesson, with_pad
from PIL import Image
from scipy.signal import convolve2d, correlate2d
from windows import tolerance

from cnnlib.errors import ProbeError
from cnnlib.probe.convolution import PRESETS, convolve, kernel_text, parse_kernel

RANDOM = np.random.default_rng(0)
PICTURE = RANDOM.normal(size=(13, 17)).astype(np.float32)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 5), (5, 4)])
def test_the_output_agrees_with_scipy(shape):
    kernel = RANDOM.normal(size=shape).astype(np.float32)
    ours = convolve(PICTURE, kernel).output
    np.testing.assert_allclose(ours, correlate2d(PICTURE, kernel, "valid"), rtol=1e-4, atol=1e-5)
    flipped = convolve(PICTURE, kernel, flip=True).output
    np.testing.assert_allclose(flipped, convolve2d(PICTURE, kernel, "valid"), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 4])
@pytest.mark.parametrize("dilation", [1, 2])
def test_the_output_agrees_with_torch(stride, padding, dilation):
    kernel = RANDOM.normal(size=(3, 4)).astype(np.float32)
    settings = {"stride": stride, "padding": padding, "dilation": dilation}
    torchs = torch.nn.functional.conv2d(
        torch.from_numpy(PICTURE)[None, None], torch.from_numpy(kernel)[None, None], **settings
    )
    shown = convolve(PICTURE, kernel, **settings)
    np.testing.assert_allclose(shown.output, torchs[0, 0], rtol=1e-4, atol=1e-5)
    window = shown.at(shown.output.shape[0] - 1, 0)
    assert abs(window.value - window.output) <= tolerance(window)


def test_a_kernel_is_parsed_from_rows():
    assert parse_kernel("1, 2 3\n-1 .5 1/4\n").tolist() == [[1, 2, 3], [-1, 0.5, 0.25]]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_read_back_as_it_was_written(name):
    kernel = np.array(PRESETS[name], np.float32)
    np.testing.assert_allclose(parse_kernel(kernel_text(kernel)), kernel, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1 2\n3", "rows of the kernel have 1, 2 numbers, but all"),
        ("", "rows of the kernel have no numbers"),
        ("1 x", "'x' is not a number"),
        ("1/0", "'1/0' is not a number"),
        ("nan", "'nan' is not a number"),
        ("\n".join(["1 " * 12] * 12), "12 x 12 numbers, but at most 11 x 11"),
    ],
)
def test_an_invalid_kernel_is_refused(text, sentence):
    with pytest.raises(ProbeError, match=sentence):
        parse_kernel(text)


def test_a_kernel_that_does_not_fit_is_refused():
    with pytest.raises(ProbeError, match="3 x 3 kernel with dilation 9 does not fit"):
        convolve(PICTURE, np.ones((3, 3)), dilation=9)


# -- the page --------------------------------------------------------------------------------------


def page_text(app: AppTest) -> str:
    return "\n".join(str(each.value) for each in [*app.markdown, *app.caption, *app.error])


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_shown(name):
    app = open_lesson()
    app.selectbox(key="convolution_preset").select(name).run()
    assert not app.exception and not app.error
    assert "**Output: 28 × 28**" in page_text(app)  # 28 + 2 * 1 - 3 + 1


def test_the_menu_names_the_kernel_whose_numbers_are_shown():
    app = open_lesson()
    menu, numbers = app.selectbox(key="convolution_preset"), app.text_area(key="convolution_kernel")
    sobel = numbers.value
    numbers.set_value("-1 0 1\n-2 0 5\n-1 0 1").run()
    assert app.selectbox(key="convolution_preset").value == "Own numbers"
    app.selectbox(key="convolution_preset").select("Identity").run()
    app.selectbox(key="convolution_preset").select("Own numbers").run()
    assert app.text_area(key="convolution_kernel").value == "0 0 0\n0 1 0\n0 0 0"
    app.text_area(key="convolution_kernel").set_value(sobel).run()
    assert app.selectbox(key="convolution_preset").value == menu.value == "Vertical edges (Sobel)"


def test_every_picture_is_shown_with_any_setting(monkeypatch):
    with_pad(monkeypatch, a_stroke())
    app = open_lesson()
    for picture in app.selectbox(key="convolution_picture").options:
        app.selectbox(key="convolution_picture").select(picture).run()
        assert not app.exception and not app.error
    app.number_input(key="convolution_stride").set_value(2).run()
    assert "**Output: 14 × 14**" in page_text(app)  # (28 + 2 - 3) // 2 + 1


def test_a_symmetric_kernel_makes_no_difference():
    app = open_lesson()
    assert "differ by up to" in page_text(app)
    app.selectbox(key="convolution_preset").select("Blur (Gauss)").run()
    assert "both outputs are the same" in page_text(app)


def test_an_invalid_kernel_or_picture_is_an_error_on_the_page():
    app = open_lesson()
    app.text_area(key="convolution_kernel").set_value("1 2\n3").run()
    assert "all rows must have the same count" in page_text(app)
    app = open_lesson()
    app.selectbox(key="convolution_picture").select("Upload").run()
    app.file_uploader(key="convolution_upload").set_value([("a.png", b"no", "image/png")]).run()
    assert "This file cannot be read as a picture: its content is neither PNG" in page_text(app)


def test_a_large_picture_is_resized():
    out = io.BytesIO()
    Image.new("RGB", (5000, 4000), "red").save(out, "PNG")
    app = open_lesson()
    app.selectbox(key="convolution_picture").select("Upload").run()
    files = [("large.png", out.getvalue(), "image/png")]
    app.file_uploader(key="convolution_upload").set_value(files).run()
    assert not app.exception and "**Output: 32 × 32**" in page_text(app)

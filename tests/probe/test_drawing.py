"""Preparation of drawings: equal to MNIST's, with optional, recorded steps."""

import numpy as np
import pytest

from cnnlib.data.prepared import Prepared, load_prepared
from cnnlib.errors import ProbeError, RecipeError
from cnnlib.probe.drawing import centre_of_mass, ink_box, ink_on_paper, prepare_drawing
from cnnlib.records.drawing import Preparation

COUNT = 300  # pictures of MNIST's test split


def a_pad(*boxes: tuple[int, int, int, int], side: int = 280) -> np.ndarray:
    """A pad with filled boxes: left, top, right, bottom."""
    pad = np.zeros((side, side, 4), np.uint8)
    pad[..., 3] = 255
    for left, top, right, bottom in boxes:
        pad[top:bottom, left:right, :3] = 255
    return pad


def seven(left: int = 40, top: int = 40, size: int = 160) -> np.ndarray:
    """A bar with a stem at its right end, like a 7."""
    thick = size // 8
    bar = (left, top, left + size // 2, top + thick)
    stem = (left + size // 2 - thick, top, left + size // 2, top + size)
    return a_pad(bar, stem)


def placed(digit: np.ndarray, left: int, top: int, scale: int, side: int = 400) -> np.ndarray:
    """Enlarge a picture of MNIST by whole factors and place it on a large pad."""
    pad = np.zeros((side, side), np.uint8)
    large = digit.repeat(scale, axis=0).repeat(scale, axis=1)
    pad[top : top + large.shape[0], left : left + large.shape[1]] = large
    return pad


@pytest.fixture
def mnist(mnist_folder) -> Prepared:
    from sample_data import prepared_now

    prepared_now("mnist")
    return load_prepared("mnist")


# -- MNIST is the reference ------------------------------------------------------------------------


def test_pictures_of_mnist_are_reproduced(mnist):
    # A drawing is simulated by enlarging a picture of MNIST five times at a random position. The
    # reference is the picture itself: fitting, averaging and centring must reproduce it.
    rng = np.random.default_rng(0)
    digits = mnist.test_images[:COUNT, 0]
    places = rng.integers(0, 400 - 5 * 28, (COUNT, 2))
    prepared = np.stack(
        [
            prepare_drawing(placed(digit, *place, 5)).picture[0]
            for digit, place in zip(digits, places, strict=True)
        ]
    )
    equal = (prepared == digits).all(axis=(1, 2))
    assert equal.mean() > 0.95  # the others have faint edges or rounding ties
    assert np.abs(prepared.mean(axis=0) - digits.mean(axis=0)).max() < 2  # of 255


def test_the_centre_of_mass_is_within_half_a_pixel_and_the_longer_side_has_twenty_pixels(mnist):
    rng = np.random.default_rng(1)
    for digit in mnist.test_images[:COUNT, 0]:
        scale = int(rng.integers(2, 9))
        left, top = rng.integers(0, 400 - scale * 28, 2)
        found = prepare_drawing(placed(digit, left, top, scale)).picture[0]
        row, column = centre_of_mass(found)
        assert abs(row - 14) <= 0.51 and abs(column - 14) <= 0.51  # 0.01 for rounding to bytes
        left, top, right, bottom = ink_box(found)
        assert 18 <= max(right - left, bottom - top) <= 20


def test_mnist_itself_is_centred_on_the_pixel_14_14(mnist):
    centres = np.array([centre_of_mass(digit) for digit in mnist.test_images[:COUNT, 0]])
    assert np.abs(centres - 14).max() <= 0.5


# -- the steps -------------------------------------------------------------------------------------


def test_the_position_and_size_of_a_drawing_do_not_matter():
    large, small = seven(), seven(left=180, top=10, size=80)
    assert np.array_equal(prepare_drawing(large).picture, prepare_drawing(small).picture)


def test_the_aspect_is_kept():
    # 100 x 20 pixels become 20 x 4. The centre of mass of rows 4..23 is 13.5, half a pixel from 14,
    # so that it may be shifted or not.
    box = ink_box(prepare_drawing(a_pad((30, 10, 50, 110))).picture[0])
    assert (box[2] - box[0], box[3] - box[1]) == (4, 20)


def test_every_step_is_recorded_with_its_name():
    prepared = prepare_drawing(seven(), preparation=Preparation(blur=1.0))
    names = [step.name for step in prepared.steps]
    assert names == ["As drawn", "Fitted to 20 × 20", "Blurred", "Centred"]
    assert [step.picture.shape for step in prepared.steps] == [(1, 280, 280)] + [(1, 28, 28)] * 3


def test_without_fitting_the_whole_pad_is_resized():
    # A box of 70 pixels at the left edge: 7 of 28 pixels.
    plain = Preparation(fit=False, centre=False)
    prepared = prepare_drawing(a_pad((0, 0, 70, 70)), preparation=plain)
    assert ink_box(prepared.picture[0]) == (0, 0, 7, 7)
    assert [step.name for step in prepared.steps] == ["As drawn", "Resized"]


def test_without_antialiasing_every_pixel_is_ink_or_none():
    jagged = prepare_drawing(seven(size=151), preparation=Preparation(antialias=False))
    assert set(np.unique(jagged.picture)) == {0, 255}
    assert len(np.unique(prepare_drawing(seven(size=151)).picture)) > 2


def test_blur_spreads_the_ink_and_keeps_its_centre():
    sharp, soft = (prepare_drawing(seven(), preparation=Preparation(blur=b)) for b in (0.0, 1.0))
    assert (soft.picture > 0).sum() > (sharp.picture > 0).sum()
    assert centre_of_mass(soft.picture[0]) == pytest.approx((14, 14), abs=0.51)


def test_an_empty_pad_stays_empty():
    prepared = prepare_drawing(a_pad())
    assert prepared.is_empty and not prepared.picture.any()
    assert not prepare_drawing(seven()).is_empty


def test_a_single_dot_becomes_a_full_square():
    box = ink_box(prepare_drawing(a_pad((100, 100, 101, 101))).picture[0])
    assert (box[2] - box[0], box[3] - box[1]) == (20, 20)


def test_transparent_pixels_are_not_ink():
    pad = seven()
    pad[..., 3] = np.where(pad[..., 0] > 0, 255, 0)
    pad[..., :3] = 255
    assert np.array_equal(prepare_drawing(pad).picture, prepare_drawing(seven()).picture)


def test_for_another_input_the_box_is_scaled():
    # 20 of 28 pixels are 23 of 32.
    box = ink_box(prepare_drawing(seven(), in_size=(1, 32, 32)).picture[0])
    assert box[3] - box[1] == 23


def test_a_picture_for_a_colour_network_is_resized_in_colour():
    pad = a_pad((0, 0, 140, 280))
    pad[..., 1:3] = 0  # a red half
    prepared = prepare_drawing(pad, in_size=(3, 32, 32))
    assert prepared.picture.shape == (3, 32, 32)
    assert prepared.picture[:, 5, 5].tolist() == [255, 0, 0]
    assert prepared.picture[:, 5, 30].tolist() == [0, 0, 0]


# -- photographs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("paper", "ink"), [(230, 30), (20, 200)])
def test_ink_is_found_on_light_and_on_dark_paper(paper, ink):
    noise = np.random.default_rng(0).integers(-8, 9, (280, 280))
    photo = (np.where(seven()[..., 0] > 0, ink, paper) + noise).astype(np.uint8)
    found = prepare_drawing(ink_on_paper(photo)).picture
    difference = np.abs(found.astype(int) - prepare_drawing(seven()).picture)
    assert difference.mean() < 8


def test_an_empty_page_has_no_ink():
    assert not ink_on_paper(np.full((40, 40), 200, np.uint8)).any()


# -- sentences -------------------------------------------------------------------------------------


def test_an_array_that_is_not_a_picture_is_refused():
    with pytest.raises(ProbeError, match="type float64 and shape"):
        prepare_drawing(np.zeros((3, 3)))


def test_a_blur_out_of_range_is_refused():
    with pytest.raises(RecipeError, match="blur is 9.0, but"):
        Preparation(blur=9.0)


@pytest.mark.parametrize("level", [0, 255])
def test_ink_on_nothing_is_found_whether_it_is_dark_or_light(level: int):
    pixels = np.full((6, 6, 4), level, np.uint8)
    pixels[..., 3] = 0
    pixels[2:4, 2:4, 3] = 255
    assert np.array_equal(ink_on_paper(pixels), pixels[..., 3])

"""Comparison of a picture with the training pictures: what is named, and what is not."""

import numpy as np
import pytest

from cnnlib.probe.drawing import ink_on_paper, prepare_drawing
from cnnlib.probe.ink import (
    count_drawings,
    drawing_differences,
    ink_differences,
    ink_statistics,
    ink_statistics_of,
    preparation_for,
)
from cnnlib.records.drawing import Preparation


@pytest.fixture
def digits():
    from sample_data import prepared_now

    return prepared_now("digits")


def kinds(digits, picture: np.ndarray) -> list[str]:
    return [each.kind for each in ink_differences(ink_statistics_of(digits), picture)]


def test_real_test_pictures_do_not_differ(digits):
    differing = [bool(kinds(digits, picture)) for picture in digits.test_images]
    assert np.mean(differing) <= 0.01


def test_dark_ink_on_paper_is_named_and_preparation_mends_it(digits):
    paper = 255 - digits.test_images[0]
    [difference] = ink_differences(ink_statistics_of(digits), paper)
    assert difference.sentence == (
        "The picture is dark ink on a light ground; the network was trained on light ink on a dark "
        "ground."
    )
    assert difference.is_mended_by_preparation
    assert kinds(digits, prepare_drawing(ink_on_paper(paper[0])).picture) == []


def test_ink_at_the_side_is_named_with_its_direction(digits):
    # The ink is 20 x 20 pixels at most, in the middle of 28 x 28.
    moved = np.roll(digits.test_images[0], -4, axis=2)
    [difference] = ink_differences(ink_statistics_of(digits), moved)
    assert difference.sentence == "The ink is farther left than in the training pictures."


def test_a_small_digit_is_named_with_its_size(digits):
    small = np.pad(digits.test_images[0][:, ::2, ::2], ((0, 0), (7, 7), (7, 7)))
    [difference] = [
        each for each in ink_differences(ink_statistics_of(digits), small) if each.kind == "size"
    ]
    assert difference.sentence.endswith("10 pixels instead of at least 20.")


def test_two_digits_are_counted_and_a_digit_in_two_strokes_is_one():
    two, five = np.zeros((28, 28)), np.zeros((28, 28))
    two[6:22, 3:7] = two[6:22, 18:22] = 1
    five[4:6, 10:20] = five[8:24, 8:12] = 1  # a bar, 2 pixels above the rest
    assert (count_drawings(two), count_drawings(five), count_drawings(0 * two)) == (2, 1, 0)


def test_two_digits_are_said(digits):
    pair = np.zeros((1, 28, 28), np.uint8)
    pair[0, 6:22, 3:7] = pair[0, 6:22, 18:22] = 255
    [difference] = ink_differences(ink_statistics_of(digits), pair)
    assert difference.sentence == (
        "There seem to be 2 separate drawings; the network answers for the whole picture."
    )
    assert not difference.is_mended_by_preparation


def test_pictures_that_are_not_ink_are_not_compared():
    noise = np.random.default_rng(0).integers(0, 256, (50, 3, 32, 32), dtype=np.uint8)
    assert ink_statistics(noise) is None
    assert ink_differences(None, noise[0]) == ()


def test_for_a_network_that_knows_dark_ink_light_ink_is_named(digits):
    known = ink_statistics(255 - digits.train_images[:200])
    light = digits.test_images[0]
    assert [each.kind for each in ink_differences(known, light)] == ["ink"]
    assert preparation_for(known) == Preparation(invert=True)
    dark = prepare_drawing(light[0], preparation=preparation_for(known)).picture
    assert ink_differences(known, dark) == ()


def test_two_digits_close_to_each_other_are_counted_in_the_drawing_as_it_was_drawn(digits):
    pad = np.zeros((280, 280), np.uint8)
    pad[60:220, 60:120] = pad[60:220, 150:210] = 255  # 30 pixels apart: 3 after the preparation
    drawing = prepare_drawing(pad)
    known = ink_statistics_of(digits)
    assert [each.kind for each in drawing_differences(known, drawing)] == ["drawings"]


def test_thin_shapes_in_colours_are_not_compared(digits):
    colours = np.array([(1, 0.2, 0), (0, 1, 0.2), (0.2, 0, 1)])[np.arange(90) % 3]
    shapes = (digits.train_images[:90] * colours[:, :, None, None]).astype(np.uint8)
    assert ink_statistics(np.repeat(digits.train_images[:90], 3, axis=1)) is not None
    assert ink_statistics(shapes) is None

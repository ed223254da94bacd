"""Wilson's interval, against numbers worked by hand."""

import pytest

from cnnlib.compare.seeds import wilson


def test_eight_of_ten_gives_the_interval_of_the_textbooks():
    # z = 1.95996, z^2 = 3.84146: middle (0.8 + 0.192073) / 1.384146 = 0.716740,
    # reach 1.95996 * sqrt(0.016 + 0.00960365) / 1.384146 = 0.226577
    interval = wilson(8, 10)
    assert (interval.low, interval.high) == pytest.approx((0.490163, 0.943317), abs=2e-6)


def test_all_right_still_leaves_room_below():
    # p = 1: low = n / (n + z^2) = 100 / 103.84146
    interval = wilson(100, 100)
    assert interval.low == pytest.approx(100 / 103.84146, abs=1e-6)
    assert interval.high == 1.0


def test_none_right_is_the_mirror_image_of_all_right():
    all_right, none_right = wilson(50, 50), wilson(0, 50)
    assert none_right.low == 0.0
    assert none_right.high == pytest.approx(1 - all_right.low)


def test_no_pictures_say_nothing():
    interval = wilson(0, 0)
    assert (interval.low, interval.high) == (0.0, 1.0)


def test_a_higher_level_is_wider():
    assert wilson(90, 100, level=0.99).low < wilson(90, 100, level=0.95).low

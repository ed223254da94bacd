"""Formatting of shares, sizes, counts and times."""

from math import nan

import pytest

from cnnlib.units import format_size, format_time, percent, short_count


def test_a_share_has_two_digits_by_default():
    assert (percent(0.97254), percent(0.97254, 0)) == ("97.25 %", "97 %")


@pytest.mark.parametrize("fraction", [None, nan])
def test_an_unknown_share_is_a_dash_or_the_given_text(fraction):
    assert (percent(fraction), percent(fraction, unknown="")) == ("–", "")


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999.7, "1 kB"),
        (424_616, "425 kB"),
        (999_700, "1 MB"),  # three digits of 999.7 thousand are 1,000 thousand
        (9_250_000, "9.25 MB"),
        (411_900_000, "412 MB"),
        (1_290_000_000, "1.29 GB"),
    ],
)
def test_a_size_has_three_digits_and_a_unit_of_a_thousand(size_bytes, text):
    assert format_size(size_bytes) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (7, "7"),
        (999, "999"),
        (44_426, "44.4 K"),
        (999_600, "1 M"),
        (999_400, "999 K"),
        (1_663_370, "1.66 M"),
        (4.2e12, "4.2 T"),
        (4.2e15, "4,200 T"),
    ],
)
def test_a_count_has_three_digits_and_a_unit(value, text):
    assert short_count(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0121, "12.1 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (4.25, "4.2 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_times_have_two_or_three_digits_and_units(seconds, text):
    assert format_time(seconds) == text

"""Tests of the checks of single values: what they accept, return and say."""

import numpy as np
import pytest

from cnnlib.design.checks import Checks
from cnnlib.errors import RecipeError, SpecError

checks = Checks(SpecError)


@pytest.mark.parametrize(
    ("check", "value", "expected"),
    [
        (checks.integer(0, 5), np.int64(3), 3),
        (checks.number(0, 1), 1, 1.0),
        (checks.flag, False, False),
        (checks.choice(("a", "b")), "b", "b"),
        (checks.text(3), "abc", "abc"),
        (checks.instance(dict), {}, {}),
        (checks.optional(checks.flag), None, None),
        (checks.either("same", checks.integer(0, 5)), "same", "same"),
        (checks.sequence(checks.flag, 2), [True, False], (True, False)),
        (checks.one_or_each(checks.flag, 2), True, True),
    ],
)
def test_a_value_is_returned_as_it_is_stored(check, value, expected):
    found = check("x", value)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("check", "value", "sentence"),
    [
        (
            checks.integer(1, 2000),
            3.0,
            "x is 3.0, but it must be a whole number from 1 to 2,000. Use a number in that range.",
        ),
        (checks.integer(0, 1), True, "x is True, but it must be a whole number"),
        (checks.number(0, 1), "1", "x is '1', but it must be a number from 0 to 1."),
        (checks.number(0, 1), float("nan"), "x is nan, but it must be a number from 0 to 1."),
        (checks.number(0, 1, low_open=True), 0, "x is 0, but it must be a number above 0 to 1."),
        (checks.number(0, 1, high_open=True), 1, "a number from 0 to less than 1."),
        (checks.flag, 1, "x is 1, but it must be true or false. Choose one of the two."),
        (
            checks.choice(("a", "b")),
            "c",
            "x is 'c', but it must be one of these: a, b. Choose one of them.",
        ),
        (checks.choice(("a", "b")), ["a"], "x is ['a'], but it must be one of these"),
        (checks.text(2), 5, "x is 5, but it must be text. Write it in quotes."),
        (checks.text(2), "abc", "x has 3 characters, but at most 2 are allowed. Shorten it."),
        (checks.text(2), "\0", "Remove this character."),
        (checks.instance(dict), [], "x is [], but it must be of the type dict."),
        (checks.either("same", checks.flag), "other", 'the only word allowed is "same"'),
        (checks.sequence(checks.flag, 2), [True, 2], "x[1] is 2, but it must be true or false."),
        (checks.sequence(checks.flag, 2), 5, "x is 5, but it must be a list."),
        (checks.sequence(checks.flag, 1), [True] * 2, "x has 2 entries, but at most 1"),
        (checks.integer(0, 9), 10**400, "x is a number of more than 15 digits, but"),
    ],
)
def test_another_value_is_a_sentence(check, value, sentence):
    with pytest.raises(SpecError) as refused:
        check("x", value)
    assert sentence in str(refused.value)


def test_unknown_keys_are_named_with_the_known_ones():
    with pytest.raises(SpecError, match=r"The stem has no field 'colour'. Its fields are: size."):
        checks.keys("The stem", {"colour": 1}, ("size",))
    with pytest.raises(SpecError, match="The stem is 5, but it must be a mapping"):
        checks.keys("The stem", 5, ("size",))


def test_the_error_is_of_the_type_of_the_checks():
    with pytest.raises(RecipeError):
        Checks(RecipeError).flag("x", 1)

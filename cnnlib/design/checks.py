"""Checks of a design's fields: each takes a field's name and value, and returns what to store.

They check types and ranges only. `plan` checks whether layers fit together, because its errors
name the layer.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any

from cnnlib.errors import SpecError

Check = Callable[[str, Any], Any]


def shown(value: Any) -> str:
    """Format a value for an error message: short, also if it is long or deeply nested."""
    if isinstance(value, list | tuple):
        entries = ", ".join(map(_shown_entry, value[:6]))
        return f"[{entries}{', ...' if len(value) > 6 else ''}]"
    if isinstance(value, int) and abs(value) >= 10**15:
        return "a number of more than 15 digits"
    if isinstance(value, Mapping):
        return f"a mapping with {count_entries(len(value))}"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def count_entries(count: int) -> str:
    """Format a number of entries: ``1 entry``, ``3 entries``."""
    return f"{count:,} {'entry' if count == 1 else 'entries'}"


def _shown_entry(value: Any) -> str:
    """Format an entry of a list; an inner list becomes ``[...]``, because it may be very long."""
    return "[...]" if isinstance(value, list | tuple) else shown(value)


def integer(low: int, high: int) -> Check:
    """Build a check for whole numbers `low` to `high`; rejects ``True``, ``3.0`` and ``"3"``."""

    def check(name: str, value: Any) -> int:
        try:
            number = None if isinstance(value, bool) else operator.index(value)
        except TypeError:
            number = None
        if number is None or not low <= number <= high:
            raise SpecError(
                f"{name} is {shown(value)}, but it must be a whole number from {low:,} to "
                f"{high:,}. Use a number in that range."
            )
        return number

    return check


def fraction(below: float) -> Check:
    """Build a check for numbers from 0 up to, but not including, `below`."""

    def check(name: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < below:
            raise SpecError(
                f"{name} is {shown(value)}, but it must be a number from 0 to less than {below:g}. "
                f"Use a number in that range."
            )
        return float(value)

    return check


def flag(name: str, value: Any) -> bool:
    """Check for ``True`` or ``False``; 0 and 1 are rejected."""
    if not isinstance(value, bool):
        raise SpecError(
            f"{name} is {shown(value)}, but it must be true or false. Choose one of the two."
        )
    return value


def choice(known: Collection[str]) -> Check:
    """Build a check for one of the known names."""

    def check(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in known:
            raise SpecError(
                f"{name} is {shown(value)}, but it must be one of these: {', '.join(known)}. "
                f"Choose one of them."
            )
        return value

    return check


def optional(check: Check) -> Check:
    """Build a check that accepts ``None`` and all that `check` accepts."""

    def check_or_none(name: str, value: Any) -> Any:
        return None if value is None else check(name, value)

    return check_or_none


def either(word: str, check: Check) -> Check:
    """Build a check that accepts the given word and all that `check` accepts."""

    def check_or_word(name: str, value: Any) -> Any:
        if isinstance(value, str) and value != word:
            raise SpecError(
                f'{name} is {shown(value)}, but the only word allowed is "{word}". '
                f'Use "{word}" or a whole number.'
            )
        return value if isinstance(value, str) else check(name, value)

    return check_or_word


def sequence(check: Check, at_most: int) -> Check:
    """Build a check for at most `at_most` entries, each checked by `check`; returns a tuple."""

    def check_all(name: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise SpecError(
                f"{name} is {shown(value)}, but it must be a list. "
                f"Write it in brackets, like [16, 32], [16] or []."
            )
        if len(value) > at_most:
            raise SpecError(
                f"{name} has {count_entries(len(value))}, but at most {at_most} are allowed. "
                f"Use fewer entries."
            )
        return tuple(check(f"{name}[{i}]", entry) for i, entry in enumerate(value))

    return check_all


def one_or_each(check: Check, at_most: int) -> Check:
    """Build a check for one value for all convolutions, or a list with one per convolution."""
    check_each = sequence(check, at_most)

    def check_either(name: str, value: Any) -> Any:
        return (check_each if isinstance(value, list | tuple) else check)(name, value)

    return check_either


def check_keys(record: str, given: Any, known: tuple[str, ...]) -> Mapping[str, Any]:
    """Check that a value is a mapping, and that all its keys are known; returns it."""
    if not isinstance(given, Mapping):
        raise SpecError(
            f"{record} is {shown(given)}, but it must be a mapping of field names to values. "
            f"{_known_fields(known)}"
        )
    unknown = [key for key in given if key not in known]
    if unknown:
        raise SpecError(
            f"{record} has no field {shown(unknown[0])}. {_known_fields(known)} "
            f"Correct the name, or remove the field."
        )
    return given


def _known_fields(known: tuple[str, ...]) -> str:
    """Return a sentence that lists the fields of a record."""
    return f"Its fields are: {', '.join(known)}." if known else "It has no fields."

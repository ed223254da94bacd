"""Checks of single values: each takes a field's name and its value, and returns what to store.

They check types and ranges only. What two fields have to do with each other is checked by what
reads them: `plan` checks whether layers fit together, because its errors name the layer.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from cnnlib.errors import CnnlibError

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


def is_writable(text: str) -> bool:
    """Whether databases, files and pages can hold the text: no zero, no half surrogate pair."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def check_fields(record: Any, checks: Mapping[str, Check], prefix: str = "") -> None:
    """Check fields of a frozen record, and store what their checks return.

    Args:
        prefix: Before the fields' names in errors: ``stem.`` for a record in the field ``stem``.
    """
    for name, check in checks.items():
        object.__setattr__(record, name, check(prefix + name, getattr(record, name)))


@dataclass(frozen=True)
class Checks:
    """Builds checks whose errors are of one type.

    Args:
        error: Raised with one sentence: the field and its value, the rule, what to do.
    """

    error: type[CnnlibError]

    def integer(self, low: int, high: int) -> Check:
        """Whole numbers ``low`` to ``high``; ``True``, ``3.0`` and ``"3"`` are refused."""

        def check(name: str, value: Any) -> int:
            try:
                number = None if isinstance(value, bool) else operator.index(value)
            except TypeError:
                number = None
            if number is None or not low <= number <= high:
                raise self.error(
                    f"{name} is {shown(value)}, but it must be a whole number from {low:,} to "
                    f"{high:,}. Use a number in that range."
                )
            return number

        return check

    def number(
        self, low: float, high: float, *, low_open: bool = False, high_open: bool = False
    ) -> Check:
        """Numbers from ``low`` to ``high``, as floats; an open end is not included."""
        start = f"above {low:g}" if low_open else f"from {low:g}"
        end = f"to less than {high:g}" if high_open else f"to {high:g}"

        def check(name: str, value: Any) -> float:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            is_end = (low_open and value == low) or (high_open and value == high)
            if not is_number or is_end or not low <= value <= high:
                raise self.error(
                    f"{name} is {shown(value)}, but it must be a number {start} {end}. "
                    f"Use a number in that range."
                )
            return float(value)

        return check

    def flag(self, name: str, value: Any) -> bool:
        """``True`` or ``False``; 0 and 1 are refused."""
        if not isinstance(value, bool):
            raise self.error(
                f"{name} is {shown(value)}, but it must be true or false. Choose one of the two."
            )
        return value

    def choice(self, known: Collection[str]) -> Check:
        """One of the known names."""

        def check(name: str, value: Any) -> str:
            if not isinstance(value, str) or value not in known:
                raise self.error(
                    f"{name} is {shown(value)}, but it must be one of these: {', '.join(known)}. "
                    f"Choose one of them."
                )
            return value

        return check

    def text(self, longest: int) -> Check:
        """Text of at most ``longest`` characters, which databases and pages can hold."""

        def check(name: str, value: Any) -> str:
            if not isinstance(value, str):
                raise self.error(
                    f"{name} is {shown(value)}, but it must be text. Write it in quotes."
                )
            if len(value) > longest:
                raise self.error(
                    f"{name} has {len(value):,} characters, but at most {longest} are allowed. "
                    "Shorten it."
                )
            if not is_writable(value):
                raise self.error(
                    f"{name} is {shown(value)}, with a NUL or an invalid Unicode character. "
                    "Remove this character."
                )
            return value

        return check

    def instance(self, kind: type) -> Check:
        """A record of a class."""

        def check(name: str, value: Any) -> Any:
            if not isinstance(value, kind):
                raise self.error(
                    f"{name} is {shown(value)}, but it must be of the type {kind.__name__}. "
                    f"Give one, or its JSON object."
                )
            return value

        return check

    def optional(self, check: Check) -> Check:
        """``None``, and all that ``check`` accepts."""
        return lambda name, value: None if value is None else check(name, value)

    def either(self, word: str, check: Check) -> Check:
        """The given word, and all that ``check`` accepts."""

        def check_or_word(name: str, value: Any) -> Any:
            if isinstance(value, str) and value != word:
                raise self.error(
                    f'{name} is {shown(value)}, but the only word allowed is "{word}". '
                    f'Use "{word}" or a whole number.'
                )
            return value if isinstance(value, str) else check(name, value)

        return check_or_word

    def sequence(self, check: Check, at_most: int) -> Check:
        """At most ``at_most`` entries, each checked by ``check``; returns a tuple."""

        def check_all(name: str, value: Any) -> tuple[Any, ...]:
            if not isinstance(value, list | tuple):
                raise self.error(
                    f"{name} is {shown(value)}, but it must be a list. "
                    f"Write it in brackets, like [16, 32], [16] or []."
                )
            if len(value) > at_most:
                raise self.error(
                    f"{name} has {count_entries(len(value))}, but at most {at_most} are allowed. "
                    f"Use fewer entries."
                )
            return tuple(check(f"{name}[{i}]", entry) for i, entry in enumerate(value))

        return check_all

    def one_or_each(self, check: Check, at_most: int) -> Check:
        """One value for all convolutions, or a list with one per convolution."""
        check_each = self.sequence(check, at_most)

        def check_either(name: str, value: Any) -> Any:
            return (check_each if isinstance(value, list | tuple) else check)(name, value)

        return check_either

    def keys(self, record: str, given: Any, known: Collection[str]) -> Mapping[str, Any]:
        """Check that a value is a mapping whose keys are all known; returns it."""
        if not isinstance(given, Mapping):
            raise self.error(
                f"{record} is {shown(given)}, but it must be a mapping of field names to values. "
                f"{_known_fields(known)}"
            )
        unknown = [key for key in given if key not in known]
        if unknown:
            raise self.error(
                f"{record} has no field {shown(unknown[0])}. {_known_fields(known)} "
                f"Correct the name, or remove the field."
            )
        return given


def _known_fields(known: Collection[str]) -> str:
    """Return a sentence that lists the fields of a record."""
    return f"Its fields are: {', '.join(known)}." if known else "It has no fields."

"""Checks of single values for records; each raises a RecipeError that names the field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnlib.design.checks import shown
from cnnlib.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Iterable


def check_integer(name: str, value: Any, low: int, high: int) -> None:
    """Check that ``value`` is a whole number in low..high (a bool is not a number here)."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise RecipeError(
            f"{name}={shown(value)} is not a whole number from {low:,} to {high:,}. "
            "Choose a number in this range."
        )


def check_number(name: str, value: Any, low: float, high: float, *, low_open: bool = False) -> None:
    """Check that ``value`` is a number in low..high; ``low_open`` excludes ``low`` itself."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high or (low_open and value == low):
        start = f"above {low:g}" if low_open else f"from {low:g}"
        raise RecipeError(
            f"{name}={shown(value)} is not a number {start} to {high:g}. "
            "Choose a number in this range."
        )


def as_floats(record: Any, *names: str) -> None:
    """Convert numbers of a frozen record to floats, so that 0 and 0.0 have the same JSON."""
    for name in names:
        value = getattr(record, name)
        object.__setattr__(record, name, None if value is None else float(value))


def check_choice(name: str, value: Any, known: Iterable[str]) -> None:
    """Check that ``value`` is one of the known names."""
    names = tuple(known)
    if value not in names:
        raise RecipeError(f"{name}={shown(value)} is not known. Choose one of: {', '.join(names)}.")


def check_flag(name: str, value: Any) -> None:
    """Check that ``value`` is true or false."""
    if not isinstance(value, bool):
        raise RecipeError(f"{name}={shown(value)} is neither true nor false. Write true or false.")


def check_text(name: str, value: Any, longest: int) -> None:
    """Check that ``value`` is text of at most ``longest`` characters."""
    if not isinstance(value, str):
        raise RecipeError(f"{name}={shown(value)} is not text. Write it in quotes.")
    if len(value) > longest:
        raise RecipeError(
            f"{name} has {len(value):,} characters; the maximum is {longest}. Shorten it."
        )
    if not is_writable(value):
        raise RecipeError(
            f"{name}={shown(value)} contains a NUL or an invalid Unicode character. "
            "Remove this character."
        )


def is_writable(text: str) -> bool:
    """Whether databases, files and pages can hold the text: no zero, no half surrogate pair."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def check_record(name: str, value: Any, kind: type) -> None:
    """Check that ``value`` is a record of the class ``kind``."""
    if not isinstance(value, kind):
        raise RecipeError(
            f"{name}={shown(value)} is not a {kind.__name__}. "
            f"Give a {kind.__name__}, or its JSON object."
        )

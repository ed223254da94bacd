"""A field for a whole number that reads 1e3 as a thousand."""

from __future__ import annotations

from typing import Any, overload

import streamlit as st


@overload
def whole_number_input(
    label: str, low: int, high: int | None, value: int, **options: Any
) -> int: ...
@overload
def whole_number_input(
    label: str, low: int, high: int | None = None, value: int | None = None, **options: Any
) -> int | None: ...
def whole_number_input(
    label: str, low: int, high: int | None = None, value: int | None = None, **options: Any
) -> int | None:
    """Show the field, and return its number; None while it is empty.

    The browser's field for integers reads the digits before the first other sign, so 1e20 as 1
    and 1.5e3 as 1. That for floats reads all of them, and refuses what is out of range.

    Args:
        options: Of `st.number_input`.
    """
    options["step"] = float(options.get("step", 1))
    options |= {"min_value": float(low), "max_value": None if high is None else float(high)}
    if value is not None or options.get("placeholder"):
        options["value"] = None if value is None else float(value)
    number: float | None = st.number_input(label, format="%.0f", **options)
    return None if number is None else round(number)

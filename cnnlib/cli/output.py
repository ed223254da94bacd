"""Printing: tables and facts as text, or one JSON object per line."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

from cnnlib.units import format_time


def print_json(value: Any) -> None:
    """Print one line of JSON and flush; NaN and infinity become null."""
    print(json.dumps(plain(value), allow_nan=False), flush=True)


def print_result(facts: Any, text: str, *, as_json: bool) -> None:
    """Print facts as JSON, or a text about them."""
    if as_json:
        print_json(facts)
    else:
        print(text)


def plain(value: Any) -> Any:
    """Convert records, tuples and paths to plain JSON values."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(value.to_dict() if hasattr(value, "to_dict") else asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, str | int | float) else str(value)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print aligned columns, numbers to the right; None is an empty cell."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    right = [any(isinstance(row[i], int | float) for row in rows) for i in range(len(headings))]
    for line in [headings, ["-" * width for width in widths], *cells]:
        padded = (
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(line, widths, right, strict=True)
        )
        print("  ".join(padded).rstrip())


def print_facts(facts: Mapping[str, Any]) -> None:
    """One fact a line, names aligned; facts that are None or "" are left out."""
    known = {name: value for name, value in facts.items() if value not in (None, "")}
    width = max(map(len, known), default=0)
    for name, value in known.items():
        print(f"{name.ljust(width)}  {_cell(value)}")


def duration(seconds: float | None) -> str:
    """``0 s``, ``8.2 s``, ``3 min 5 s``; "" where it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    return format_time(seconds) if seconds > 0 else "0 s"


def format_date(seconds: float | None) -> str:
    """Format seconds since 1970 as local date and time; "" for None."""
    return "" if seconds is None else datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def print_error(sentence: object) -> None:
    """Print one line to standard error."""
    print(one_line(str(sentence)), file=sys.stderr, flush=True)


def one_line(text: str, longest: int = 1000) -> str:
    """Remove line breaks and control characters, and cut a long text in its middle."""
    text = " ".join(text.split())
    text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    half = (longest - 5) // 2
    return text if len(text) <= longest else f"{text[:half]} ... {text[-half:]}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else one_line(str(value))

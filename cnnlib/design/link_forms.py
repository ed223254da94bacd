"""Text formats of a design's values in a link; the readers raise ValueError."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from cnnlib.design.spec import MAX_CONVOLUTIONS, Stem

if TYPE_CHECKING:
    from collections.abc import Callable


class Form(NamedTuple):
    """A pair of inverse functions: value to text, and text to value."""

    write: Callable[[Any], str]
    read: Callable[[str], Any]


def _read_integer(text: str) -> int:
    """Read ``16``: digits only, at most nine."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError(text)
    return int(text)


def _read_flag(text: str) -> bool:
    """Read ``0`` or ``1``."""
    return (False, True)[("0", "1").index(text)]


INTEGER = Form(str, _read_integer)
FLAG = Form(lambda value: str(int(value)), _read_flag)
NUMBER = Form(repr, float)
TEXT = Form(str, str)
PADDING = Form(str, lambda text: text if text == "same" else _read_integer(text))
SIZE = Form(
    lambda size: "x".join(map(str, size)),
    lambda text: tuple(map(_read_integer, text.split("x"))),
)


def list_of(entry: Form) -> Form:
    """Build the form ``16x6-32``: entries joined by ``-``, equal neighbours as ``<entry>x<n>``."""

    def write(values: tuple[Any, ...]) -> str:
        runs = [(value, len(list(run))) for value, run in groupby(values)]
        return "-".join(entry.write(v) + (f"x{count}" if count > 1 else "") for v, count in runs)

    def read(text: str) -> tuple[Any, ...]:
        values: list[Any] = []
        for run in text.split("-"):
            value, _, count = run.partition("x")
            values += [entry.read(value)] * min(_read_integer(count or "1"), MAX_CONVOLUTIONS + 1)
        return tuple(values)

    return Form(write, read)


def one_or_each(entry: Form) -> Form:
    """Build the form ``3`` (for all convolutions) or ``3-5x2`` (one entry each)."""
    each = list_of(entry)
    return Form(
        lambda value: (each if isinstance(value, tuple) else entry).write(value),
        lambda text: (each if "-" in text or "x" in text else entry).read(text),
    )


def _write_params(params: tuple[tuple[str, float | str], ...]) -> str:
    """Write ``alpha-0.5``; pairs are joined by ``--``."""
    return "--".join(f"{name}-{value}" for name, value in params)


def _read_params(text: str) -> tuple[tuple[str, float | str], ...]:
    """Read the text of `_write_params`; a value that is no number stays text."""
    pairs = [pair.partition("-") for pair in text.split("--")]
    return tuple((name, _read_number_or_text(value)) for name, _, value in pairs)


def _read_number_or_text(text: str) -> float | str:
    """Read a number, or return the text itself where it is none."""
    try:
        return float(text)
    except ValueError:
        return text


PARAMS = Form(_write_params, _read_params)


def _write_stem(stem: Stem) -> str:
    """Write ``16-k7-s2-p3-nobias-pool``: channels, then the values that are not defaults."""
    default = Stem(stem.channels)
    parts = [str(stem.channels)]
    parts += [f"k{stem.kernel_size}"] * (stem.kernel_size != default.kernel_size)
    parts += [f"s{stem.stride}"] * (stem.stride != default.stride)
    parts += [f"p{stem.padding}"] * (stem.padding != default.padding)
    parts += ["nobias"] * (not stem.bias)
    parts += ["pool"] * stem.pool
    return "-".join(parts)


_STEM_SIZES = {"k": "kernel_size", "s": "stride", "p": "padding"}


def _read_stem(text: str) -> Stem:
    """Read the text of `_write_stem`."""
    channels, *parts = text.split("-")
    given: dict[str, Any] = {}
    for part in parts:
        match part:
            case "nobias":
                given["bias"] = False
            case "pool":
                given["pool"] = True
            case _ if part[:1] in _STEM_SIZES:
                given[_STEM_SIZES[part[0]]] = _read_integer(part[1:])
            case _:
                raise ValueError(part)
    return Stem(_read_integer(channels), **given)


STEM = Form(_write_stem, _read_stem)

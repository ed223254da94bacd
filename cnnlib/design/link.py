"""A design as a short text for the address bar: ``1~in.3x32x32~ch.16x6-32x6~every.6``.

A text begins with the version of the format; the fields that differ from the defaults follow, as
``name.value``, in any order. Entries of a list are joined by ``-``, and ``16x6`` is six times 16.
All characters are among those that no browser escapes (RFC 3986, unreserved).

Old links must stay readable, so the names and defaults of version 1 never change: a new field gets
a new name; another default needs a version 2 that reads both. A test pins the defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any, NamedTuple

from cnnlib.design.checks import shown
from cnnlib.design.spec import MAX_CONVOLUTIONS, CNNSpec, Stem
from cnnlib.errors import SpecError


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
WINDOW = Form(
    lambda size: "_".join(map(str, size)) if isinstance(size, tuple) else str(size),
    lambda text: tuple(map(_read_integer, text.split("_"))) if "_" in text else _read_integer(text),
)
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
    """Build the form ``3`` (for all convolutions) or ``3-5x2-3_1`` (one entry each)."""
    each = list_of(entry)
    return Form(
        lambda value: (each if isinstance(value, tuple) else entry).write(value),
        lambda text: (each if set(text) & set("-x_") else entry).read(text),
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


VERSION = "1"
MAX_LENGTH = 8000  # characters; 200 convolutions with values of their own take less

# Name in a link -> the field, and the format of its values.
_FIELDS: dict[str, tuple[str, Form]] = {
    "in": ("in_size", SIZE),
    "out": ("out_classes", INTEGER),
    "ch": ("channels", list_of(INTEGER)),
    "every": ("pool_every", one_or_each(INTEGER)),
    "fc": ("hidden_dims", list_of(INTEGER)),
    "k": ("kernel_size", one_or_each(WINDOW)),
    "s": ("stride", one_or_each(INTEGER)),
    "p": ("padding", one_or_each(PADDING)),
    "d": ("dilation", one_or_each(INTEGER)),
    "bias": ("bias", one_or_each(FLAG)),
    "stem": ("stem", STEM),
    "block": ("block", TEXT),
    "skip": ("block_convs", INTEGER),
    "blocks": ("block_stride", INTEGER),
    "last": ("last_norm", FLAG),
    "short": ("shortcut_norm", FLAG),
    "shortcut": ("shortcut", TEXT),
    "at": ("stride_at", TEXT),
    "pre": ("preactivation", FLAG),
    "down": ("downsample", TEXT),
    "act": ("activation", TEXT),
    "actp": ("activation_params", PARAMS),
    "pool": ("pooling", TEXT),
    "poolk": ("pool_kernel_size", INTEGER),
    "pools": ("pool_stride", INTEGER),
    "poolp": ("pool_padding", INTEGER),
    "poold": ("pool_dilation", INTEGER),
    "norm": ("norm", TEXT),
    "groups": ("norm_groups", INTEGER),
    "place": ("norm_place", TEXT),
    "drop": ("dropout", NUMBER),
    "fcdrop": ("hidden_dropout", NUMBER),
    "head": ("head", TEXT),
    "init": ("init", TEXT),
}


def encode(spec: CNNSpec) -> str:
    """Encode a spec as text.

    Example:
        >>> encode(CNNSpec(channels=(6, 16), hidden_dims=(120, 84)))
        '1~ch.6-16~fc.120-84'
    """
    default = CNNSpec()
    written = [
        f"{key}.{form.write(getattr(spec, name))}"
        for key, (name, form) in _FIELDS.items()
        if getattr(spec, name) != getattr(default, name)
    ]
    return "~".join((VERSION, *written))


def decode(text: str) -> CNNSpec:
    """Decode a text to a spec; the spec's layers need not fit together.

    Raises:
        SpecError: The text is damaged or of a later version, or a value is out of range.

    Example:
        >>> decode("1~ch.16x3~every.0").channels
        (16, 16, 16)
    """
    if len(text) > MAX_LENGTH:
        raise _link_error(
            f"it has {len(text):,} characters, but a design has at most {MAX_LENGTH:,}"
        )
    version, *parts = text.split("~")
    if version != VERSION:
        raise _link_error(
            f"it begins with {shown(version)}, but this lab reads format version {VERSION}"
        )
    given: dict[str, Any] = {}
    for part in parts:
        key, _, value = part.partition(".")
        if key not in _FIELDS:
            raise _link_error(f"it contains {shown(part)}, which is not a known setting")
        name, form = _FIELDS[key]
        if name in given:
            raise _link_error(f"it sets {key} twice")
        given[name] = _read_value(part, form, value)
    return CNNSpec(**given)


def _read_value(part: str, form: Form, value: str) -> Any:
    """Read a value.

    Raises:
        SpecError: The value cannot be read; the message quotes `part`.
    """
    try:
        return form.read(value)
    except ValueError:
        raise _link_error(f"the value in {shown(part)} cannot be read") from None


def _link_error(cause: str) -> SpecError:
    """Build the error for a link that cannot be read; `cause` completes its first sentence."""
    return SpecError(
        f"This link does not describe a design: {cause}. Copy the whole link again, or choose a "
        f"design on the Build page."
    )

"""A design as a short text for the address bar: ``1~in.3x32x32~ch.16x6-32x6~every.6``.

A text begins with the version of the format; the fields that differ from the defaults follow, as
``name.value``, in any order. Entries of a list are joined by ``-``, and ``16x6`` is six times 16.
All characters are among those that no browser escapes (RFC 3986, unreserved).

Old links must stay readable, so the names and defaults of version 1 never change: a new field gets
a new name; another default needs a version 2 that reads both. A test pins the defaults.
"""

from __future__ import annotations

from typing import Any

from cnnlib.design.checks import shown
from cnnlib.design.link_forms import (
    FLAG,
    INTEGER,
    NUMBER,
    PADDING,
    PARAMS,
    SIZE,
    STEM,
    TEXT,
    Form,
    list_of,
    one_or_each,
)
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import SpecError

VERSION = "1"
MAX_LENGTH = 8000  # characters; 200 convolutions with values of their own take less

# Name in a link -> the field, and the format of its values.
_FIELDS: dict[str, tuple[str, Form]] = {
    "in": ("in_size", SIZE),
    "out": ("out_classes", INTEGER),
    "ch": ("channels", list_of(INTEGER)),
    "every": ("pool_every", INTEGER),
    "fc": ("hidden_dims", list_of(INTEGER)),
    "k": ("kernel_size", one_or_each(INTEGER)),
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

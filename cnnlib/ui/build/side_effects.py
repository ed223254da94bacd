"""What a control changed besides its own field, as a sentence. No streamlit."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from cnnlib.design.spec import CNNSpec, Stem
from cnnlib.ui.build.channels import find_growth, format_list
from cnnlib.ui.build.controls import CONTROLS
from cnnlib.ui.build.field_labels import FIELD_LABELS, LIST_LABELS, fields_of

if TYPE_CHECKING:
    from cnnlib.ui.build.state import Draft


def side_effects(before: Draft, after: Draft, control: str) -> str:
    """Name each field that changed besides those of the control, with its new and old value.

    Channels that follow a growth are not named where the number of convolutions changed.

    Example:
        >>> from cnnlib.ui.build.state import Draft
        >>> before = Draft(CNNSpec(channels=(16, 32)), "")
        >>> after = Draft(CNNSpec(channels=(16, 32, 64)), "")
        >>> side_effects(before, after, "channels")
        '"Convolutions" is now 3; it was 2.'
    """
    one, two = before.spec, after.spec
    own = fields_of(control)
    if control == "convolutions" and not before.is_typed and find_growth(one) is not None:
        own = (*own, "channels")
    sentences = []
    if len(one.channels) != len(two.channels) and control != "convolutions":
        sentences.append(_sentence("Convolutions", len(two.channels), len(one.channels)))
    for name in (field.name for field in fields(CNNSpec)):
        old, new = getattr(one, name), getattr(two, name)
        if old != new and name not in own:
            is_list = isinstance(old, tuple) or isinstance(new, tuple)
            label = (LIST_LABELS if is_list else FIELD_LABELS).get(name) or FIELD_LABELS[name]
            options = CONTROLS[name].options if name in CONTROLS else {}
            sentences.append(_sentence(label, options.get(new, new), options.get(old, old)))
    return " ".join(sentences)


def _sentence(label: str, new: Any, old: Any) -> str:
    return f'"{label}" is now {_format(new)}; it was {_format(old)}.'


def _format(value: Any) -> str:
    """Format a value as its control shows it."""
    if isinstance(value, Stem):
        size = f"{value.kernel_size} x {value.kernel_size}"
        return f"{value.channels} channels, {size}, stride {value.stride}"
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None or value == ():
        return "empty"
    return format_list(value)

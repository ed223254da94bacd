"""The labels of the form in place of the names of a spec's fields. No streamlit."""

from __future__ import annotations

import re

from cnnlib.ui.build.controls import CONTROLS
from cnnlib.vocabulary.layers import ACTIVATIONS

# Controls that show no field of their own name -> the fields that they show and set.
_FIELDS: dict[str, tuple[str, ...]] = {
    "convolutions": (),
    "width": ("channels",),
    "growth": ("channels",),
    "groups": ("pool_every",),
    "kernel_sizes": ("kernel_size",),
    "downsample": ("downsample", "pooling"),
    "activation": ("activation", "activation_params"),
    "in_channels": ("in_size",),
    "in_height": ("in_size",),
    "in_width": ("in_size",),
    "dataset": ("in_size", "out_classes"),
    **{each.name: ("activation_params",) for kind in ACTIVATIONS.values() for each in kind.params},
    **{name: ("stem",) for name in CONTROLS if name.startswith("stem_")},
}
# Fields whose control has another name, as the checks of a spec write them -> that control.
_OTHER_CONTROLS = {
    "in_size[0] (channels)": "in_channels",
    "in_size[1] (height)": "in_height",
    "in_size[2] (width)": "in_width",
    "kernel_size": "kernel_sizes",
    "pooling": "downsample",
    **{name.replace("_", ".", 1): name for name in CONTROLS if name.startswith("stem_")},
}
FIELD_LABELS: dict[str, str] = {
    **{name: control.label for name, control in CONTROLS.items()},
    **{field: CONTROLS[name].label for field, name in _OTHER_CONTROLS.items()},
}
# Fields with another control for a list.
LIST_LABELS = {"pool_every": CONTROLS["groups"].label}
_NAMES = "|".join(re.escape(name) for name in sorted(FIELD_LABELS, key=len, reverse=True))
_START = re.compile(rf"^({_NAMES})(?:\[(\d+)\])?(?: \((height|width)\))?(?= (?:is|has) )")


def fields_of(control: str) -> tuple[str, ...]:
    """Return the fields of a spec that a control shows and sets."""
    return _FIELDS.get(control, (control,))


def with_label(message: str, control: str = "") -> str:
    """Replace the field at the start of a message by its label; other messages are unchanged.

    Args:
        control: The control that was used; its label is preferred.

    Example:
        >>> with_label("hidden_dims[0] is -1, but it must be a whole number from 1 to 16,384.")
        'Entry 1 of "Hidden layers" is -1, but it must be a whole number from 1 to 16,384.'
    """
    found = _START.match(message)
    if not found:
        return message
    name, index, side = found.groups()
    label = FIELD_LABELS[name]
    if control in CONTROLS and fields_of(control) == (name,):
        label = CONTROLS[control].label
    elif index or message[found.end() :].startswith(" has "):
        label = LIST_LABELS.get(name, label)
    place = f'"{label}"' if index is None else f'entry {int(index) + 1} of "{label}"'
    place = f"the {side} in {place}" if side else place
    return f"{place[0].upper()}{place[1:]}{message[found.end() :]}"

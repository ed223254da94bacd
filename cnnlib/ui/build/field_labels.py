"""Errors about a field of a spec, with the label that the form shows for the field. No streamlit.

The checks of a spec begin their messages with the name of the field: ``hidden_dims[0] is -1, but
...``. The form shows that field as "Hidden layers".
"""

from __future__ import annotations

import re

from cnnlib.ui.build.controls import CONTROLS

# Fields whose control has another name, as the checks of a spec write them -> that control.
_OTHER_CONTROLS = {
    "in_size[0] (channels)": "in_channels",
    "in_size[1] (height)": "in_height",
    "in_size[2] (width)": "in_width",
    "kernel_size": "kernel_sizes",
    "pooling": "downsample",
    "last_norm": "norm_in_blocks",
    "shortcut_norm": "norm_in_blocks",
    **{name.replace("_", ".", 1): name for name in CONTROLS if name.startswith("stem_")},
}
FIELD_LABELS: dict[str, str] = {
    **{name: control.label for name, control in CONTROLS.items()},
    **{field: CONTROLS[name].label for field, name in _OTHER_CONTROLS.items()},
}
_NAMES = "|".join(re.escape(name) for name in sorted(FIELD_LABELS, key=len, reverse=True))
_START = re.compile(rf"^({_NAMES})(?:\[(\d+)\])?(?= (?:is|has) )")


def with_label(message: str) -> str:
    """Replace the field at the start of a message by its label; other messages are unchanged.

    Example:
        >>> with_label("hidden_dims[0] is -1, but it must be a whole number from 1 to 16,384.")
        'Entry 1 of "Hidden layers" is -1, but it must be a whole number from 1 to 16,384.'
    """
    return _START.sub(_label, message)


def _label(found: re.Match[str]) -> str:
    """Format the label of a field: ``"Stride"``, or ``Entry 1 of "Stride"``."""
    name, index = found.groups()
    label = f'"{FIELD_LABELS[name]}"'
    return label if index is None else f"Entry {int(index) + 1} of {label}"

"""The labels of the form in place of the names of a spec's fields. No streamlit."""

from __future__ import annotations

from cnnlib.ui.build.controls import CONTROLS
from cnnlib.ui.common.field_labels import with_label
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


def fields_of(control: str) -> tuple[str, ...]:
    """Return the fields of a spec that a control shows and sets."""
    return _FIELDS.get(control, (control,))


def with_form_label(message: str, control: str = "") -> str:
    """Replace the field at the start of a message by its label (see `with_label`).

    Args:
        control: The control that was used; its label is preferred.
    """
    fields = fields_of(control)
    if control in CONTROLS and len(fields) == 1:
        label = {fields[0]: CONTROLS[control].label}
        return with_label(message, FIELD_LABELS | label, LIST_LABELS | label)
    return with_label(message, FIELD_LABELS, LIST_LABELS)

"""The labels of a form in place of the names of a record's fields. No streamlit."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Fields of a design and a recipe -> the labels of the Lab.
LAB_LABELS = {
    "channels": "Channels",
    "pool_every": "Pool every",
    "kernel_size": "Kernel",
    "hidden_dims": "Hidden units",
    "lr": "Learning rate",
    "batch_size": "Batch",
}


def with_label(
    message: str, labels: Mapping[str, str], list_labels: Mapping[str, str] | None = None
) -> str:
    """Replace the field at the start of a message by its label; other messages are unchanged.

    Args:
        labels: Field, as the checks of a record write it -> label.
        list_labels: Labels of fields with another control for a list.

    Example:
        >>> with_label("hidden_dims[0] is -1, but it must be from 1.", LAB_LABELS)
        'Entry 1 of "Hidden units" is -1, but it must be from 1.'
    """
    names = "|".join(re.escape(name) for name in sorted(labels, key=len, reverse=True))
    field = rf"({names})(?:\[(\d+)\])?(?: \((height|width)\))?(?= (is|has) )"
    found = re.match(field, message)
    if not found:
        return message
    name, index, side, verb = found.groups()
    is_list = index is not None or verb == "has"
    label = (list_labels or {}).get(name, labels[name]) if is_list else labels[name]
    place = f'"{label}"' if index is None else f'entry {int(index) + 1} of "{label}"'
    place = f"the {side} in {place}" if side else place
    return f"{place[0].upper()}{place[1:]}{message[found.end() :]}"

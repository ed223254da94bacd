"""The settings of runs by the labels of their controls. No streamlit."""

from __future__ import annotations

from cnnlib.design.field_labels import FIELD_LABELS
from cnnlib.ui.common.recipe_form import FIELDS

SETTING_LABELS = {
    **FIELD_LABELS,
    **{name: field.label for name, field in FIELDS.items()},
    "dataset": "Dataset",
    "split_seed": "Seed of the validation split",
    "validation": "Share of the validation split",
    "train_limit": "Training pictures",
    "precision": "Precision",
}


def setting_label(name: str) -> str:
    """Return the label of a setting; settings without a control keep their name, in words."""
    return SETTING_LABELS.get(name, name.replace("_", " ").capitalize())

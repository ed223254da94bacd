"""The form for a recipe: four fields that everybody sets, and the rest under "More"."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import streamlit as st

from cnnlib.records.recipe import OPTIMIZERS, SCHEDULES, Augmentation, Recipe

OPTIMIZER_WORDS = {
    "sgd": "SGD",
    "momentum": "SGD with momentum",
    "nesterov": "SGD with Nesterov momentum",
    "adam": "Adam",
    "adamw": "AdamW",
}
SCHEDULE_WORDS = {
    "constant": "Constant",
    "step": "Steps down",
    "cosine": "Cosine to zero",
    "one_cycle": "One cycle",
}


def recipe_form(offered: Recipe) -> Recipe:
    """Fields that start with an offered recipe; another offer starts them anew.

    Raises:
        RecipeError: A value that no recipe takes.
    """
    key = hashlib.sha256(json.dumps(offered.to_dict()).encode()).hexdigest()[:8]
    values = _usual_fields(offered, key)
    with st.expander("More about the recipe", icon=":material/tune:"):
        values |= _schedule_fields(offered, key)
        values |= _regularisation_fields(offered, key)
        values["augmentation"] = _augmentation_fields(offered.augmentation, key)
    return Recipe(**values)


def _usual_fields(offered: Recipe, key: str) -> dict[str, Any]:
    with st.grid(4, min_column_width=110):
        return {
            "epochs": _integer("Epochs", "epochs", offered.epochs, key, 1, 10_000),
            "batch_size": _integer("Batch size", "batch_size", offered.batch_size, key, 1, 65_536),
            "optimizer": st.selectbox(
                "Optimizer",
                OPTIMIZERS,
                index=OPTIMIZERS.index(offered.optimizer),
                format_func=OPTIMIZER_WORDS.__getitem__,
                key=f"train_optimizer_{key}",
            ),
            "lr": _number("Learning rate", "lr", offered.lr, key, step=0.001),
        }


def _schedule_fields(offered: Recipe, key: str) -> dict[str, Any]:
    with st.grid(4, min_column_width=110):
        schedule = st.selectbox(
            "Learning rate over time",
            SCHEDULES,
            index=SCHEDULES.index(offered.schedule),
            format_func=SCHEDULE_WORDS.__getitem__,
            key=f"train_schedule_{key}",
        )
        values: dict[str, Any] = {"schedule": schedule}
        if schedule == "step":
            label = "Epochs between steps"
            values["step_epochs"] = _integer(label, "step_epochs", offered.step_epochs, key, 1)
            label = "Factor of a step"
            values["step_factor"] = _number(label, "step_factor", offered.step_factor, key)
        if schedule == "one_cycle":
            label = "Share that rises"
            values["warmup"] = _number(label, "warmup", offered.warmup, key, step=0.05)
        values["momentum"] = _number("Momentum", "momentum", offered.momentum, key, step=0.05)
    return values


def _regularisation_fields(offered: Recipe, key: str) -> dict[str, Any]:
    with st.grid(4, min_column_width=110):
        values = {
            "weight_decay": _number("Weight decay", "weight_decay", offered.weight_decay, key),
            "label_smoothing": _number(
                "Label smoothing", "label_smoothing", offered.label_smoothing, key
            ),
            "clip_grad_norm": st.number_input(
                "Clip gradients at norm",
                value=offered.clip_grad_norm,
                min_value=1e-6,
                format="%g",
                placeholder="never",
                key=f"train_clip_grad_norm_{key}",
            ),
            "patience": st.number_input(
                "Stop after epochs without progress",
                value=offered.patience,
                min_value=1,
                step=1,
                placeholder="never",
                key=f"train_patience_{key}",
            ),
        }
    values["test_each_epoch"] = st.checkbox(
        "Measure the test split after each epoch",
        value=offered.test_each_epoch,
        key=f"train_test_each_epoch_{key}",
        help="As some course texts plot it. Choosing by that curve is choosing on the test split.",
    )
    return values


def _augmentation_fields(offered: Augmentation, key: str) -> Augmentation:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        return Augmentation(
            flip=st.checkbox(
                "Mirror pictures", value=offered.flip, key=f"train_flip_{key}", help="Not digits."
            ),
            shift=_integer("Shift by pixels", "shift", offered.shift, key, 0, 64, width=160),
            cutout=_integer("Cut out pixels", "cutout", offered.cutout, key, 0, 128, width=160),
        )


def _integer(
    label: str, field: str, value: int, key: str, low: int, high: int | None = None, **look: Any
) -> int:
    return st.number_input(label, low, high, value, step=1, key=f"train_{field}_{key}", **look)


def _number(label: str, field: str, value: float, key: str, step: float = 0.01) -> float:
    """A number from 0; ``%g`` shows 0.002 and 1e-05 alike."""
    return st.number_input(
        label, 0.0, None, float(value), step=step, format="%g", key=f"train_{field}_{key}"
    )

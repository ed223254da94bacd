"""The form for a recipe: four common fields, and the rest under "More"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.records.recipe import OPTIMIZERS, SCHEDULES, Augmentation, Recipe
from cnnlib.records.recipe_presets import RECIPES, default_recipe
from cnnlib.ui.common.format import OPTIMIZER_LABELS

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from cnnlib.design.spec import CNNSpec
    from cnnlib.records.dataset import DatasetInfo

_DEFAULT = "offered"  # the stored option
SCHEDULE_LABELS = {
    "constant": "Constant",
    "step": "Steps down",
    "cosine": "Cosine to zero",
    "one_cycle": "One cycle",
}


def recipe_menu(default_title: str, *, key: str) -> str:
    """Show a menu of recipes; the first is the default for a design and a dataset."""
    titles = {_DEFAULT: default_title}
    titles |= {name: named.title for name, named in RECIPES.items()}
    return st.selectbox("Recipe", titles, format_func=titles.__getitem__, key=key)


def recipe_by_name(name: str, spec: CNNSpec, info: DatasetInfo) -> Recipe:
    """Return the recipe of an option of `recipe_menu`."""
    if name == _DEFAULT:
        return default_recipe(spec, info.name, info.train_count)
    return RECIPES[name].recipe


def recipe_form(default: Recipe, usual: DeltaGenerator, more: DeltaGenerator) -> Recipe:
    """Show the fields of a recipe, with initial values from a default recipe.

    The key of a field contains its default. So a field is reset if its default changes with the
    dataset or the design; the others keep the values typed into them.

    Args:
        default: Initial values.
        usual: Container of the common fields.
        more: Container of the others.

    Raises:
        RecipeError: A value is out of range.
    """
    with usual:
        values = _usual_fields(default)
    with more.expander("More about the recipe", icon=":material/tune:"):
        values |= _schedule_fields(default, values["optimizer"])
        values |= _regularisation_fields(default)
        values["augmentation"] = _augmentation_fields(default.augmentation)
    return Recipe(**values)


def _usual_fields(default: Recipe) -> dict[str, Any]:
    with st.grid(4, min_column_width=110):
        return {
            "epochs": _integer("Epochs", "epochs", default.epochs, 1, 10_000),
            "batch_size": _integer("Batch size", "batch_size", default.batch_size, 1, 65_536),
            "optimizer": st.selectbox(
                "Optimiser",
                OPTIMIZERS,
                index=OPTIMIZERS.index(default.optimizer),
                format_func=OPTIMIZER_LABELS.__getitem__,
                key=f"train_optimizer_{default.optimizer}",
                help="Muon makes the steps of filters and hidden layers orthogonal and leaves the "
                "rest to AdamW: it often needs fewer epochs, at a higher learning rate.",
            ),
            "lr": _number("Learning rate", "lr", default.lr, step=0.001),
        }


def _schedule_fields(default: Recipe, optimizer: str) -> dict[str, Any]:
    with st.grid(4, min_column_width=110):
        schedule = st.selectbox(
            "Schedule",
            SCHEDULES,
            index=SCHEDULES.index(default.schedule),
            format_func=SCHEDULE_LABELS.__getitem__,
            key=f"train_schedule_{default.schedule}",
        )
        values: dict[str, Any] = {"schedule": schedule}
        if schedule == "step":
            label = "Step epochs"
            values["step_epochs"] = _integer(label, "step_epochs", default.step_epochs, 1)
            label = "Step factor"
            values["step_factor"] = _number(label, "step_factor", default.step_factor)
        if schedule == "one_cycle":
            label = "Warm-up"
            values["warmup"] = _number(label, "warmup", default.warmup, step=0.05)
        if optimizer in ("momentum", "nesterov"):
            values["momentum"] = _number("Momentum", "momentum", default.momentum, step=0.05)
    return values


def _regularisation_fields(default: Recipe) -> dict[str, Any]:
    with st.grid(4, min_column_width=110):
        values = {
            "weight_decay": _number("Weight decay", "weight_decay", default.weight_decay),
            "label_smoothing": _number(
                "Label smoothing", "label_smoothing", default.label_smoothing
            ),
            "clip_grad_norm": st.number_input(
                "Clip gradients",
                value=default.clip_grad_norm,
                min_value=1e-6,
                format="%g",
                placeholder="never",
                help="Scale gradients down to this norm.",
                key=f"train_clip_grad_norm_{default.clip_grad_norm}",
            ),
            "patience": st.number_input(
                "Patience",
                value=default.patience,
                min_value=1,
                step=1,
                placeholder="never",
                help="Stop after so many epochs without a better validation loss.",
                key=f"train_patience_{default.patience}",
            ),
        }
    values["test_each_epoch"] = st.checkbox(
        "Measure the test split after each epoch",
        value=default.test_each_epoch,
        key=f"train_test_each_epoch_{default.test_each_epoch}",
        help="As some course texts plot it. Choosing by that curve is choosing on the test split.",
    )
    return values


def _augmentation_fields(default: Augmentation) -> Augmentation:
    with st.grid(3, min_column_width=130, vertical_alignment="bottom"):
        return Augmentation(
            shift=_integer("Shift (pixels)", "shift", default.shift, 0, 64),
            cutout=_integer("Cutout (pixels)", "cutout", default.cutout, 0, 128),
            flip=st.checkbox(
                "Mirror pictures", value=default.flip, key=f"train_flip_{default.flip}"
            ),
        )


def _integer(label: str, field: str, default: int, low: int, high: int | None = None) -> int:
    return st.number_input(label, low, high, default, step=1, key=f"train_{field}_{default}")


def _number(label: str, field: str, default: float, step: float = 0.01) -> float:
    """Show a field for a number from 0; ``%g`` formats 0.002 as well as 1e-05."""
    value = float(default)
    return st.number_input(
        label, 0.0, None, value, step=step, format="%g", key=f"train_{field}_{default:g}"
    )

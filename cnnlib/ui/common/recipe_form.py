"""The form for a recipe: four fields that everybody sets, and the rest under "More"."""

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

_OFFERED = "offered"
SCHEDULE_WORDS = {
    "constant": "Constant",
    "step": "Steps down",
    "cosine": "Cosine to zero",
    "one_cycle": "One cycle",
}


def recipe_menu(offered_title: str, *, key: str) -> str:
    """A menu of recipes; the first one is what is offered for a design and a dataset."""
    titles = {_OFFERED: offered_title}
    titles |= {name: named.title for name, named in RECIPES.items()}
    return st.selectbox("Recipe", titles, format_func=titles.__getitem__, key=key)


def recipe_called(name: str, spec: CNNSpec, info: DatasetInfo) -> Recipe:
    """A recipe of `recipe_menu`."""
    if name == _OFFERED:
        return default_recipe(spec, info.name, info.train_count)
    return RECIPES[name].recipe


def recipe_form(offered: Recipe, usual: DeltaGenerator, more: DeltaGenerator) -> Recipe:
    """Fields that start with an offered recipe.

    A field whose offer changes, with another dataset or design, starts anew; the others keep what
    was written into them. So the key of a field holds what was offered for it.

    Args:
        usual: Place of the fields that everybody sets.
        more: Place of the others.

    Raises:
        RecipeError: A value that no recipe takes.
    """
    with usual:
        values = _usual_fields(offered)
    with more.expander("More about the recipe", icon=":material/tune:"):
        values |= _schedule_fields(offered, values["optimizer"])
        values |= _regularisation_fields(offered)
        values["augmentation"] = _augmentation_fields(offered.augmentation)
    return Recipe(**values)


def _usual_fields(offered: Recipe) -> dict[str, Any]:
    with st.grid(4, min_column_width=110):
        return {
            "epochs": _integer("Epochs", "epochs", offered.epochs, 1, 10_000),
            "batch_size": _integer("Batch size", "batch_size", offered.batch_size, 1, 65_536),
            "optimizer": st.selectbox(
                "Optimiser",
                OPTIMIZERS,
                index=OPTIMIZERS.index(offered.optimizer),
                format_func=OPTIMIZER_LABELS.__getitem__,
                key=f"train_optimizer_{offered.optimizer}",
                help="Muon makes the steps of filters and hidden layers orthogonal and leaves the "
                "rest to AdamW: it often needs fewer epochs, at a higher learning rate.",
            ),
            "lr": _number("Learning rate", "lr", offered.lr, step=0.001),
        }


def _schedule_fields(offered: Recipe, optimizer: str) -> dict[str, Any]:
    with st.grid(4, min_column_width=110):
        schedule = st.selectbox(
            "Schedule",
            SCHEDULES,
            index=SCHEDULES.index(offered.schedule),
            format_func=SCHEDULE_WORDS.__getitem__,
            key=f"train_schedule_{offered.schedule}",
        )
        values: dict[str, Any] = {"schedule": schedule}
        if schedule == "step":
            label = "Step epochs"
            values["step_epochs"] = _integer(label, "step_epochs", offered.step_epochs, 1)
            label = "Step factor"
            values["step_factor"] = _number(label, "step_factor", offered.step_factor)
        if schedule == "one_cycle":
            label = "Warm-up"
            values["warmup"] = _number(label, "warmup", offered.warmup, step=0.05)
        if optimizer in ("momentum", "nesterov"):
            values["momentum"] = _number("Momentum", "momentum", offered.momentum, step=0.05)
    return values


def _regularisation_fields(offered: Recipe) -> dict[str, Any]:
    with st.grid(4, min_column_width=110):
        values = {
            "weight_decay": _number("Weight decay", "weight_decay", offered.weight_decay),
            "label_smoothing": _number(
                "Label smoothing", "label_smoothing", offered.label_smoothing
            ),
            "clip_grad_norm": st.number_input(
                "Clip gradients",
                value=offered.clip_grad_norm,
                min_value=1e-6,
                format="%g",
                placeholder="never",
                help="Scale gradients down to this norm.",
                key=f"train_clip_grad_norm_{offered.clip_grad_norm}",
            ),
            "patience": st.number_input(
                "Patience",
                value=offered.patience,
                min_value=1,
                step=1,
                placeholder="never",
                help="Stop after so many epochs without a better validation loss.",
                key=f"train_patience_{offered.patience}",
            ),
        }
    values["test_each_epoch"] = st.checkbox(
        "Measure the test split after each epoch",
        value=offered.test_each_epoch,
        key=f"train_test_each_epoch_{offered.test_each_epoch}",
        help="As some course texts plot it. Choosing by that curve is choosing on the test split.",
    )
    return values


def _augmentation_fields(offered: Augmentation) -> Augmentation:
    with st.grid(3, min_column_width=130, vertical_alignment="bottom"):
        return Augmentation(
            shift=_integer("Shift (pixels)", "shift", offered.shift, 0, 64),
            cutout=_integer("Cutout (pixels)", "cutout", offered.cutout, 0, 128),
            flip=st.checkbox(
                "Mirror pictures", value=offered.flip, key=f"train_flip_{offered.flip}"
            ),
        )


def _integer(label: str, field: str, offered: int, low: int, high: int | None = None) -> int:
    return st.number_input(label, low, high, offered, step=1, key=f"train_{field}_{offered}")


def _number(label: str, field: str, offered: float, step: float = 0.01) -> float:
    """A number from 0; ``%g`` shows 0.002 and 1e-05 alike."""
    value = float(offered)
    return st.number_input(
        label, 0.0, None, value, step=step, format="%g", key=f"train_{field}_{offered:g}"
    )

"""The form for a recipe: four common fields, and the rest under "More"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.records.recipe import Augmentation, Recipe
from cnnlib.records.recipe_presets import RECIPES, default_recipe
from cnnlib.vocabulary.entry import labels
from cnnlib.vocabulary.training import OPTIMIZERS, SCHEDULES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamlit.delta_generator import DeltaGenerator

    from cnnlib.design.spec import CNNSpec
    from cnnlib.records.dataset import DatasetInfo

_DEFAULT = "default"  # the stored option
FLIP_HELP = "Mirrors each picture left to right, with probability 1/2. Not useful for digits."
SHIFT_HELP = (
    "Moves each picture by a random number of pixels, at most this many, in each direction."
)
CUTOUT_HELP = (
    "Covers a random square of each picture with the mean colour. This is the side of the square; "
    "0 is no cutout."
)


def recipe_menu(default_title: str, *, key: str, first: Mapping[str, str] | None = None) -> str:
    """Show a menu of recipes; the first is the default for a design and a dataset.

    Args:
        first: Further options before it, with their titles.
    """
    titles = {**(first or {}), _DEFAULT: default_title}
    titles |= {name: named.title for name, named in RECIPES.items()}
    return st.selectbox(
        "Recipe",
        titles,
        format_func=titles.__getitem__,
        key=key,
        help="All settings of a training except the network and the dataset.",
    )


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
    with more.expander("More recipe settings", icon=":material/tune:"):
        values |= _schedule_fields(default, values["optimizer"])
        values |= _regularisation_fields(default)
        values["augmentation"] = _augmentation_fields(default.augmentation)
    return Recipe(**values)


def _usual_fields(default: Recipe) -> dict[str, Any]:
    with st.grid(4, min_column_width=110):
        return {
            "epochs": _integer("Epochs", "epochs", default.epochs, 1, 10_000, help=_HELP["epochs"]),
            "batch_size": _integer(
                "Batch size", "batch_size", default.batch_size, 1, 65_536, help=_HELP["batch_size"]
            ),
            "optimizer": st.selectbox(
                "Optimiser",
                list(OPTIMIZERS),
                index=list(OPTIMIZERS).index(default.optimizer),
                format_func=labels(OPTIMIZERS).__getitem__,
                key=f"train_optimizer_{default.optimizer}",
                help="The algorithm that updates the weights. Muon orthogonalises the updates of "
                "filters and hidden layers and uses AdamW for the rest. It often needs fewer "
                "epochs, with a higher learning rate.",
            ),
            "lr": _number("Learning rate", "lr", default.lr, step=0.001, help=_HELP["lr"]),
        }


def _schedule_fields(default: Recipe, optimizer: str) -> dict[str, Any]:
    with st.grid(4, min_column_width=110):
        schedule = st.selectbox(
            "Schedule",
            list(SCHEDULES),
            index=list(SCHEDULES).index(default.schedule),
            format_func=labels(SCHEDULES).__getitem__,
            key=f"train_schedule_{default.schedule}",
            help=_HELP["schedule"],
        )
        values: dict[str, Any] = {"schedule": schedule}
        read = SCHEDULES[schedule].settings
        if "step_epochs" in read:
            label, text = "Epochs per step", _HELP["step_epochs"]
            values["step_epochs"] = _integer(
                label, "step_epochs", default.step_epochs, 1, help=text
            )
        if "step_factor" in read:
            label, text = "Factor per step", _HELP["step_factor"]
            values["step_factor"] = _number(label, "step_factor", default.step_factor, help=text)
        if "warmup" in read:
            label, text = "Warm-up (fraction)", _HELP["warmup"]
            values["warmup"] = _number(label, "warmup", default.warmup, step=0.05, help=text)
        if OPTIMIZERS[optimizer].has_momentum:
            text = _HELP["momentum"]
            values["momentum"] = _number(
                "Momentum", "momentum", default.momentum, step=0.05, help=text
            )
    return values


def _regularisation_fields(default: Recipe) -> dict[str, Any]:
    with st.grid(4, min_column_width=110):
        values = {
            "weight_decay": _number(
                "Weight decay", "weight_decay", default.weight_decay, help=_HELP["weight_decay"]
            ),
            "label_smoothing": _number(
                "Label smoothing",
                "label_smoothing",
                default.label_smoothing,
                help=_HELP["label_smoothing"],
            ),
            "clip_grad_norm": st.number_input(
                "Gradient clipping",
                value=default.clip_grad_norm,
                min_value=1e-6,
                format="%g",
                placeholder="off",
                help="Gradients with a larger norm than this are scaled down to it. Empty: no "
                "clipping.",
                key=f"train_clip_grad_norm_{default.clip_grad_norm}",
            ),
            "patience": st.number_input(
                "Patience",
                value=default.patience,
                min_value=1,
                step=1,
                placeholder="off",
                help="Early stopping: training ends after this many epochs without a lower "
                "validation loss. Empty: no early stopping.",
                key=f"train_patience_{default.patience}",
            ),
        }
    values["restore_best"] = st.checkbox(
        "End with the best epoch",
        value=default.restore_best,
        key=f"train_restore_best_{default.restore_best}",
        help="With patience: restore the weights of the epoch with the lowest validation loss, "
        "and measure the test split on them.",
    )
    values["test_each_epoch"] = st.checkbox(
        "Measure the test split after each epoch",
        value=default.test_each_epoch,
        key=f"train_test_each_epoch_{default.test_each_epoch}",
        help="Some course texts plot this curve. Do not choose settings by it: the test split must "
        "stay unseen until the end.",
    )
    return values


def _augmentation_fields(default: Augmentation) -> Augmentation:
    with st.grid(3, min_column_width=130, vertical_alignment="bottom"):
        return Augmentation(
            shift=_integer("Shift (pixels)", "shift", default.shift, 0, 64, help=SHIFT_HELP),
            cutout=_integer("Cutout (pixels)", "cutout", default.cutout, 0, 128, help=CUTOUT_HELP),
            flip=st.checkbox(
                "Mirror pictures",
                value=default.flip,
                key=f"train_flip_{default.flip}",
                help=FLIP_HELP,
            ),
        )


_HELP = {
    "epochs": "Number of passes over all training pictures.",
    "batch_size": "Number of pictures in one training step.",
    "lr": "Factor for the size of the weight updates. With a schedule, this is the highest value.",
    "schedule": "How the learning rate changes during the training. Step decay multiplies it by a "
    "factor every few epochs; Cosine lowers it smoothly to zero; One cycle raises it first, then "
    "lowers it to zero.",
    "step_epochs": "Number of epochs until the learning rate is multiplied by the factor.",
    "step_factor": "The learning rate is multiplied by this number at each step.",
    "warmup": "Fraction of the training during which the learning rate rises.",
    "momentum": "Fraction of the previous weight update that is added to the next one.",
    "weight_decay": "Pulls the weights towards zero at each step, which can reduce overfitting.",
    "label_smoothing": "Fraction of the target probability that is spread evenly over all classes, "
    "so that the network becomes less certain. 0 is no smoothing.",
}


def _integer(
    label: str, field: str, default: int, low: int, high: int | None = None, *, help: str
) -> int:
    key = f"train_{field}_{default}"
    return st.number_input(label, low, high, default, step=1, key=key, help=help)


def _number(label: str, field: str, default: float, step: float = 0.01, *, help: str) -> float:
    """Show a field for a number from 0; ``%g`` formats 0.002 as well as 1e-05."""
    key = f"train_{field}_{default:g}"
    value = float(default)
    return st.number_input(label, 0.0, None, value, step=step, format="%g", key=key, help=help)

"""The form for a recipe: four common fields, and the rest under "More"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.design.cost import MAX_BATCH_SIZE
from cnnlib.errors import RecipeError
from cnnlib.records.recipe import Augmentation, Recipe
from cnnlib.records.recipe_presets import RECIPES, default_recipe
from cnnlib.records.setting_labels import SETTING_LABELS, setting_label
from cnnlib.ui.common.field_labels import with_label
from cnnlib.ui.common.whole_number import whole_number_input
from cnnlib.vocabulary.entry import labels
from cnnlib.vocabulary.training import CLASS_BALANCES, OPTIMIZERS, SCHEDULES

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from cnnlib.design.spec import CNNSpec
    from cnnlib.records.dataset import DatasetInfo

_DEFAULT = "default"  # the stored option


@dataclass(frozen=True)
class Field:
    """A field of the form; a number is a whole one if its lowest value is."""

    help: str
    low: float = 0.0
    high: float | None = None
    step: float = 0.01
    choices: dict[str, Any] = field(default_factory=dict)


FIELDS: Mapping[str, Field] = {
    "epochs": Field("Number of passes over all training pictures.", 1, 10_000, 1),
    "batch_size": Field("Number of pictures in one training step.", 1, MAX_BATCH_SIZE, 1),
    "optimizer": Field(
        "The algorithm that updates the weights. Muon orthogonalises the updates of filters and "
        "hidden layers and uses AdamW (with a beta1 of 0.95) for the rest. It often needs fewer "
        "epochs, with a higher learning rate.",
        choices=OPTIMIZERS,
    ),
    "lr": Field(
        "Factor for the size of the weight updates. With a schedule, this is the highest value.",
        step=0.001,
    ),
    "schedule": Field(
        "How the learning rate changes during the training. Step decay multiplies it by a factor "
        "every few epochs; Cosine lowers it smoothly to zero; One cycle raises it first, then "
        "lowers it to zero.",
        choices=SCHEDULES,
    ),
    "step_epochs": Field(
        "Number of epochs until the learning rate is multiplied by the factor.",
        *(1, None, 1),
    ),
    "step_factor": Field("The learning rate is multiplied by this number at each step."),
    "warmup": Field(
        "Fraction of the training during which the learning rate rises.",
        step=0.05,
    ),
    "momentum": Field(
        "Fraction of the previous weight update that is added to the next one.",
        step=0.05,
    ),
    "weight_decay": Field(
        "Pulls the weights towards zero at each step, which can reduce overfitting.",
    ),
    "label_smoothing": Field(
        "Fraction of the target probability that is spread evenly over all classes, so that the "
        "network becomes less certain. 0 is no smoothing.",
    ),
    "clip_grad_norm": Field(
        "Gradients with a larger norm than this are scaled down to it. Empty: no clipping.",
        low=1e-6,
    ),
    "patience": Field(
        "Early stopping: training ends after this many epochs without a lower validation loss. "
        "Empty: no early stopping.",
        *(1, None, 1),
    ),
    "class_balance": Field(
        "For classes with different numbers of pictures. Weights in the loss: a picture of a small "
        "class counts more. Balanced sampling: each epoch draws pictures of all classes equally "
        "often, those of small classes several times. Both find more of the small classes and give "
        "more false alarms for them.",
        choices=CLASS_BALANCES,
    ),
    "restore_best": Field(
        "With patience: restore the weights of the epoch with the lowest validation loss, and "
        "measure the test split on them.",
    ),
    "test_each_epoch": Field(
        "Some course texts plot this curve. Do not choose settings by it: the test split must stay "
        "unseen until the end.",
    ),
    "shift": Field(
        "Moves each picture by a random number of pixels, at most this many, in each direction.",
        *(0, 64, 1),
    ),
    "cutout": Field(
        "Covers a random square of each picture with the mean colour. This is the side of the "
        "square; 0 is no cutout.",
        *(0, 128, 1),
    ),
    "flip": Field(
        "Mirrors each picture left to right, with probability 1/2. Not useful for digits.",
    ),
}


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
        usual: Container of the common fields, a grid.
        more: Container of the others.

    Raises:
        RecipeError: A value is out of range.
    """
    with usual:
        values = _ask(default, "epochs", "batch_size", "optimizer", "lr")
    with more.expander("More recipe settings", icon=":material/tune:"):
        with st.grid(4, min_column_width=110):
            values |= _ask(default, "schedule")
            values |= _ask(default, *SCHEDULES[values["schedule"]].settings)
            if OPTIMIZERS[values["optimizer"]].has_momentum:
                values |= _ask(default, "momentum")
        with st.grid(4, min_column_width=110):
            names = ("weight_decay", "label_smoothing", "clip_grad_norm", "patience")
            values |= _ask(default, *names)
        values |= _ask(default, "class_balance", "restore_best", "test_each_epoch")
        with st.grid(3, min_column_width=130, vertical_alignment="bottom"):
            augmented = _ask(default.augmentation, "shift", "cutout", "flip")
    try:
        return Recipe(**values, augmentation=Augmentation(**augmented))
    except RecipeError as error:
        raise RecipeError(with_label(str(error), SETTING_LABELS)) from None


def _ask(default: Recipe | Augmentation, *names: str) -> dict[str, Any]:
    """Show fields, and return their values by name."""
    return {name: _show_field(name, getattr(default, name)) for name in names}


def _show_field(name: str, default: Any) -> Any:
    """Show one field; ``%g`` formats 0.002 as well as 1e-05, and an empty number is None."""
    shown, label = FIELDS[name], setting_label(name)
    text = f"{default:g}" if isinstance(default, float) else default
    common: dict[str, Any] = {"key": f"train_{name}_{text}", "help": shown.help}
    if shown.choices:
        titles = labels(shown.choices)
        index = list(titles).index(default)
        return st.selectbox(label, titles, index=index, format_func=titles.__getitem__, **common)
    if isinstance(default, bool):
        return st.checkbox(label, default, **common)
    if default is None:
        common["placeholder"] = "off"
    if isinstance(shown.low, int):
        whole = shown.high if shown.high is None else int(shown.high)
        step = {"step": shown.step}
        return whole_number_input(label, shown.low, whole, default, **step, **common)
    common["format"] = "%g"
    return st.number_input(label, shown.low, shown.high, default, step=shown.step, **common)

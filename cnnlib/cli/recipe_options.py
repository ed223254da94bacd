"""Recipe options: one per field of `Recipe` and `Augmentation`."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from cnnlib.cli.parser import number, one_of, or_none, whole_number
from cnnlib.records.recipe import Augmentation, Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

HELP = {
    "epochs": "passes over the training split; 0 only measures the untrained network",
    "batch_size": "pictures per step",
    "optimizer": "how gradients change the weights",
    "lr": "learning rate; with a schedule, its highest value",
    "momentum": "for the optimizers momentum and nesterov",
    "weight_decay": "pull of the weights towards zero",
    "decay_norm_and_bias": "weight decay on norms and biases too",
    "schedule": "how the learning rate changes over the run",
    "step_epochs": "epochs between two drops, with --schedule step",
    "step_factor": "what a drop multiplies by, with --schedule step",
    "warmup": "fraction of the run in which the rate rises, with --schedule one_cycle",
    "label_smoothing": "share of each label that is spread over all classes",
    "clip_grad_norm": "scale gradients down to this norm, or none",
    "patience": "end after this many epochs without a better validation loss, or none",
    "max_batches": "end after this many steps in all, or none",
    "test_each_epoch": "measure the test split after each epoch",
    "flip": "mirror pictures left and right at random",
    "shift": "shift pictures by up to this many pixels at random",
    "cutout": "side of a square of zeros laid over each picture, in pixels",
}


def add_recipe_options(parser: argparse.ArgumentParser) -> None:
    """Add an option without a default for each field of `Recipe` and `Augmentation`."""
    group = parser.add_argument_group("recipe (each replaces what --recipe says)")
    for record in (Recipe, Augmentation):
        for name, hint in get_type_hints(record).items():
            if name in HELP:
                group.add_argument(_option(name), help=HELP[name], **_argument_options(hint))


def changed_recipe(base: Recipe, args: argparse.Namespace) -> Recipe:
    """Replace the fields of a recipe for which an option was given.

    Raises:
        RecipeError: A value is out of range.
    """
    augmentation = replace(base.augmentation, **_given(Augmentation, args))
    return replace(base, **_given(Recipe, args), augmentation=augmentation)


def _given(record: type, args: argparse.Namespace) -> dict[str, Any]:
    """Collect the values of the options that were given."""
    names = [field.name for field in fields(record) if field.name in HELP]
    return {name: getattr(args, name) for name in names if hasattr(args, name)}


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _argument_options(hint: Any) -> dict[str, Any]:
    """Options of ``add_argument`` for a field; without a default, since None is a value."""
    if hint is bool:
        return {"action": argparse.BooleanOptionalAction, "default": argparse.SUPPRESS}
    metavar = "NAME" if get_origin(hint) is Literal else "N"
    return {"type": _type(hint), "default": argparse.SUPPRESS, "metavar": metavar}


def _type(hint: Any) -> Callable[[str], Any]:
    if get_origin(hint) is Literal:
        return one_of(get_args(hint))
    if get_origin(hint) is UnionType:
        kind = next(part for part in get_args(hint) if part is not type(None))
        return or_none(_type(kind))
    return {int: whole_number, float: number}[hint]

"""Recipe options: one per field of `Recipe` and `Augmentation`."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from cnnlib.cli.parser import number, one_of, or_none, whole_number
from cnnlib.records.recipe import CHOICES, Augmentation, Recipe

if TYPE_CHECKING:
    from collections.abc import Callable

HELP = {
    "epochs": "passes over the training split; 0 only measures the untrained network",
    "batch_size": "pictures per step",
    "optimizer": "rule that updates the weights from the gradients",
    "lr": "learning rate; with a schedule, the peak rate",
    "momentum": "for the optimizers momentum and nesterov",
    "weight_decay": "how strongly each step moves the weights towards zero",
    "decay_norm_and_bias": "apply weight decay to normalisation layers and biases too",
    "schedule": "how the learning rate changes over the run",
    "step_epochs": "epochs between two drops, with --schedule step",
    "step_factor": "factor of the learning rate at each drop, with --schedule step",
    "warmup": "fraction of the run in which the learning rate rises, with --schedule one_cycle",
    "label_smoothing": "share of each label that is spread over all classes",
    "clip_grad_norm": "largest norm of the gradients: longer ones are scaled down; or none",
    "patience": "stop after this many epochs without a lower validation loss, or none",
    "restore_best": "with --patience, keep the weights of the best epoch (default)",
    "max_batches": "stop after this many steps in total, or none",
    "test_each_epoch": "measure the test accuracy after each epoch",
    "flip": "mirror pictures from left to right at random",
    "shift": "shift pictures by up to this many pixels at random",
    "cutout": "cover a random square of this many pixels per side with the mean colour",
}


def add_recipe_options(parser: argparse.ArgumentParser) -> None:
    """Add an option without a default for each field of `Recipe` and `Augmentation`."""
    group = parser.add_argument_group("recipe (each option overrides a value of --recipe)")
    for record in (Recipe, Augmentation):
        for name, hint in get_type_hints(record).items():
            if name in HELP:
                group.add_argument(_option(name), help=HELP[name], **_argument_options(name, hint))


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


def _argument_options(name: str, hint: Any) -> dict[str, Any]:
    """Options of ``add_argument`` for a field; without a default, since None is a value."""
    if hint is bool:
        return {"action": argparse.BooleanOptionalAction, "default": argparse.SUPPRESS}
    if name in CHOICES:
        return {"type": one_of(CHOICES[name]), "default": argparse.SUPPRESS, "metavar": "NAME"}
    return {"type": _type(hint), "default": argparse.SUPPRESS, "metavar": "N"}


def _type(hint: Any) -> Callable[[str], Any]:
    if get_origin(hint) is UnionType:
        kind = next(part for part in get_args(hint) if part is not type(None))
        return or_none(_type(kind))
    return {int: whole_number, float: number}[hint]

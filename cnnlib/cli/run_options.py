"""Options that say how a design is trained, and the run request made of them."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from cnnlib.cli.output import print_note
from cnnlib.cli.parser import (
    UsageError,
    add_number,
    number,
    one_of,
    or_none,
    shown,
    whole_number,
    whole_number_from,
)
from cnnlib.errors import DataError, RecipeError
from cnnlib.records.recipe import CHOICES, Augmentation, Recipe
from cnnlib.records.recipe_presets import RECIPES, default_recipe
from cnnlib.records.run import DEVICES, PRECISIONS, RunRequest, check_augmentation

if TYPE_CHECKING:
    from collections.abc import Callable

    from cnnlib.design.spec import CNNSpec
    from cnnlib.records.dataset import DatasetInfo

DETACH_ALL = "queue the runs for workers, and return"


def add_run_options(parser: argparse.ArgumentParser) -> Any:
    """Add the options for recipe, seeds, splits and device.

    Returns:
        The group without the recipe, so that a command can add options.
    """
    parser.add_argument(
        "--recipe",
        metavar="NAME",
        type=one_of(RECIPES),
        help=f"default: chosen for the design and the dataset; {', '.join(RECIPES)}",
    )
    add_recipe_options(parser)
    group = parser.add_argument_group("run")
    add_number(group, "--seed", 0, "seed of the first run")
    add_number(group, "--split-seed", 0, "seed that chooses the validation pictures")
    group.add_argument(
        "--validation",
        metavar="N",
        type=_validation_size,
        default=0.1,
        help="size of the validation split: a fraction of the training pictures, or a number of "
        "pictures; a dataset with its own validation split uses that one, unless it is 0; "
        "default: 0.1",
    )
    group.add_argument(
        "--train-limit",
        metavar="N",
        type=or_none(whole_number),
        help="train on this many pictures only, or none",
    )
    group.add_argument(
        "--device", metavar="NAME", type=one_of(DEVICES), default="auto", help=", ".join(DEVICES)
    )
    group.add_argument(
        "--precision",
        metavar="NAME",
        type=one_of(PRECISIONS),
        default="auto",
        help="auto, fp32, bf16 (less exact), or fastest: both are measured before the first step",
    )
    group.add_argument(
        "--mode", metavar="NAME", default="auto", help="execution mode, such as t2-nhwc-fp32"
    )
    return group


def run_request(
    args: argparse.Namespace, info: DatasetInfo, spec: CNNSpec, preset: str = ""
) -> RunRequest:
    """Build the run request of the options; without ``--recipe``, with the default recipe.

    What the dataset warns of is printed on standard error.

    Raises:
        RecipeError: A value is out of range, the dataset has too few pictures, or the machine
            has no such device.
        DataError: It is not decided yet what the folders of the dataset are.
    """
    if info.question:
        raise DataError(info.question)
    default = default_recipe(spec, info.name, info.train_count)
    request = RunRequest(
        spec=spec,
        recipe=changed_recipe(RECIPES[args.recipe].recipe if args.recipe else default, args),
        dataset=info.name,
        seed=args.seed,
        split_seed=args.split_seed,
        validation=args.validation,
        train_limit=args.train_limit,
        device=args.device,
        mode=args.mode,
        precision=args.precision,
        preset=preset,
    )
    check_augmentation(request)
    _check_split(request, info)
    _check_mode_and_device(request)
    for warning in info.warnings:
        print_note(warning)
    if (request.validation, request.split_seed) != (RunRequest.validation, RunRequest.split_seed):
        _print_own_split(info)
    return request


def _validation_size(text: str) -> float:
    """An argument type: a fraction below 1, or a whole number of pictures."""
    value = number(text)
    if value >= 1 and not text.strip().isdecimal():
        raise argparse.ArgumentTypeError(
            f"{shown(text)} is neither a fraction below 1, such as 0.1, nor a whole number of "
            "pictures, such as 500."
        )
    return value


def _print_own_split(info: DatasetInfo) -> None:
    """Say that the dataset has its own validation split, where options ask for another one."""
    from cnnlib.data.split import own_split_sentence

    if sentence := own_split_sentence(info):
        print_note(sentence)


def _check_split(request: RunRequest, info: DatasetInfo) -> None:
    """Check that the dataset has enough pictures for the split.

    Before the dataset is prepared, its classes are assumed to be equally large.

    Raises:
        RecipeError: There are too few pictures.
    """
    if request.validation < 1 and request.train_limit is None:
        return
    import numpy as np

    from cnnlib.data.prepared import load_prepared
    from cnnlib.data.split import train_validation_split

    if info.state == "prepared":
        labels = load_prepared(info.name).train_labels
    else:
        labels = np.arange(info.train_count) % len(info.classes)
    own = info.validation_count
    train_validation_split(
        labels, request.validation, request.split_seed, request.train_limit, own=own
    )


def _check_mode_and_device(request: RunRequest) -> None:
    """Check mode and device; imports torch, which is slow, only where one is named.

    Raises:
        RecipeError: There is no such mode, or the machine has no such device.
        UsageError: The options name two precisions.
    """
    if request.mode == "auto" and request.device in ("auto", "cpu"):
        return
    from cnnlib.train.execution.mode import parse_requested_mode, pick_device

    pick_device(request.device)
    if request.mode != "auto":
        precision = parse_requested_mode(request.mode).precision
        if request.precision not in ("auto", precision):
            raise UsageError(
                f"--mode {request.mode} computes in {precision}, so it does not go together with "
                f"--precision {request.precision}. Give only one of the two."
            )


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
    "class_balance": "for unequal classes: none, weights (in the loss) or sampling (balanced)",
    "flip": "mirror pictures from left to right at random",
    "shift": "shift pictures by up to this many pixels at random",
    "cutout": "cover a random square of this many pixels per side with the mean colour",
}


def add_recipe_options(parser: argparse.ArgumentParser) -> None:
    """Add an option without a default for each field of `Recipe` and `Augmentation`."""
    group = parser.add_argument_group("recipe (each option overrides a value of --recipe)")
    for name, hint in _recipe_fields():
        group.add_argument(_option(name), help=HELP[name], **_argument_options(name, hint))


def add_recipe_options_of_b(parser: argparse.ArgumentParser) -> None:
    """Add ``--recipe-b``, and for each option of the recipe the same with ``-b`` at its end."""
    group = parser.add_argument_group(
        "recipe of B",
        "Each option of the recipe, with -b at its end, is for design B alone: --lr-b 0.01.",
    )
    group.add_argument(
        "--recipe-b",
        metavar="NAME",
        type=one_of(("default", *RECIPES)),
        help="default: that of A; or the name of a recipe; or 'default', chosen for design B",
    )
    for name, hint in _recipe_fields():
        options = _argument_options(name, hint) | {"dest": f"{name}{_OF_B}"}
        group.add_argument(f"{_option(name)}-b", help=argparse.SUPPRESS, **options)


_OF_B = "_b"  # at the end of an option's name


def _recipe_fields() -> list[tuple[str, Any]]:
    """List the fields of `Recipe` and `Augmentation` that have an option, with their types."""
    hints = get_type_hints(Recipe) | get_type_hints(Augmentation)
    return [(name, hint) for name, hint in hints.items() if name in HELP]


def recipe_of_b(request: RunRequest, spec: CNNSpec, info: DatasetInfo, args: Any) -> Recipe:
    """Return the recipe of design B: that of A, unless options say otherwise.

    Args:
        request: Of design A. The options of its recipe are for B too, where B has no own.

    Raises:
        UsageError: A value is out of range.
    """
    base = request.recipe
    if args.recipe_b == "default":
        base = changed_recipe(default_recipe(spec, info.name, info.train_count), args)
    elif args.recipe_b:
        base = changed_recipe(RECIPES[args.recipe_b].recipe, args)
    try:
        return changed_recipe(base, args, _OF_B)
    except RecipeError as error:
        name, space, rest = str(error).partition(" ")
        raise UsageError(f"{_option(name)}-b{space}{rest}") from error


def changed_recipe(base: Recipe, args: argparse.Namespace, ending: str = "") -> Recipe:
    """Replace the fields of a recipe for which an option was given.

    Args:
        ending: Of the names of the options.

    Raises:
        RecipeError: A value is out of range.
    """
    augmentation = replace(base.augmentation, **_given(Augmentation, args, ending))
    return replace(base, **_given(Recipe, args, ending), augmentation=augmentation)


def _given(record: type, args: argparse.Namespace, ending: str) -> dict[str, Any]:
    """Collect the values of the options that were given."""
    names = [field.name for field in fields(record) if field.name in HELP]
    return {name: getattr(args, name + ending) for name in names if hasattr(args, name + ending)}


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _argument_options(name: str, hint: Any) -> dict[str, Any]:
    """Options of ``add_argument`` for a field; without a default, since None is a value."""
    if hint is bool:
        return {"action": argparse.BooleanOptionalAction, "default": argparse.SUPPRESS}
    if name in CHOICES:
        return {"type": one_of(CHOICES[name]), "default": argparse.SUPPRESS, "metavar": "NAME"}
    kind = or_none(whole_number_from(1, 10**9)) if name == "max_batches" else _type(hint)
    return {"type": kind, "default": argparse.SUPPRESS, "metavar": "N"}


def _type(hint: Any) -> Callable[[str], Any]:
    if get_origin(hint) is UnionType:
        kind = next(part for part in get_args(hint) if part is not type(None))
        return or_none(_type(kind))
    return {int: whole_number, float: number}[hint]

"""Options that say how a design is trained, and the run request made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnlib.cli.parser import add_number, one_of, or_none, whole_number
from cnnlib.cli.recipe_options import add_recipe_options, changed_recipe
from cnnlib.records.recipe_presets import RECIPES, default_recipe
from cnnlib.records.run import DEVICES, PRECISIONS, RunRequest

if TYPE_CHECKING:
    import argparse

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
    add_number(
        group,
        "--validation",
        0.1,
        "size of the validation split: a fraction of the training pictures, or a number of "
        "pictures",
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
        help="auto, fp32, or bf16: faster on newer processors, but less exact",
    )
    group.add_argument(
        "--mode", metavar="NAME", default="auto", help="execution mode, such as t2-nhwc-fp32"
    )
    return group


def run_request(
    args: argparse.Namespace, info: DatasetInfo, spec: CNNSpec, preset: str = ""
) -> RunRequest:
    """Build the run request of the options; without ``--recipe``, with the default recipe.

    Raises:
        RecipeError: A value is out of range, the dataset has too few pictures, or the machine
            has no such device.
    """
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
    _check_split(request, info)
    _check_mode_and_device(request)
    return request


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
    """
    if request.mode == "auto" and request.device in ("auto", "cpu"):
        return
    from cnnlib.train.execution.mode import parse_requested_mode, pick_device

    pick_device(request.device)
    if request.mode != "auto":
        parse_requested_mode(request.mode, request.precision)

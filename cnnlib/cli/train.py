"""``train``: a design, a dataset and a recipe become a run, or one run per seed."""

from __future__ import annotations

import argparse
import secrets
from dataclasses import replace
from typing import Any

from cnnlib.cli.datasets import dataset_named
from cnnlib.cli.design_options import add_adapt_option, add_design_options, chosen_design
from cnnlib.cli.line import add_line_options, submit
from cnnlib.cli.parser import UsageError, number, one_of, or_none, whole_number
from cnnlib.cli.recipe_options import add_recipe_options, changed_recipe
from cnnlib.cli.stores import open_store
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.offers import RECIPES, offered_recipe
from cnnlib.records.run import DEVICES, RunRequest

MOST_SEEDS = 20


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    train = commands.add_parser(
        "train",
        help="train a network",
        usage="%(prog)s (--preset NAME | --spec FILE) [--dataset NAME] [OPTIONS]",
    )
    add_design_options(train)
    train.add_argument("--dataset", metavar="NAME", default="digits", help="default: digits")
    add_adapt_option(train)
    train.add_argument(
        "--recipe",
        metavar="NAME",
        type=one_of(RECIPES),
        help=f"default: what suits design and dataset; {', '.join(RECIPES)}",
    )
    add_recipe_options(train)
    _add_run_options(train)
    add_line_options(train)
    train.set_defaults(command=train_runs)


def _add_run_options(parser: argparse.ArgumentParser) -> None:
    """What decides a run's outcome beside design, dataset and recipe."""
    group = parser.add_argument_group("run")
    group.add_argument("--seed", metavar="N", type=whole_number, default=0)
    group.add_argument(
        "--seeds", metavar="N", type=whole_number, default=1, help="train with so many seeds"
    )
    group.add_argument("--split-seed", metavar="N", type=whole_number, default=0)
    group.add_argument(
        "--validation",
        metavar="N",
        type=number,
        default=0.1,
        help="fraction of the training split, or number of pictures; default 0.1",
    )
    group.add_argument(
        "--train-limit", metavar="N", type=or_none(whole_number), help="use so many pictures"
    )
    group.add_argument("--device", metavar="NAME", type=one_of(DEVICES), default="auto")
    group.add_argument("--mode", metavar="NAME", default="auto", help="as in t2-nhwc-fp32")
    group.add_argument("--compile", action="store_true", help="try torch.compile")
    group.add_argument("--name", metavar="TEXT", default="", help="what the run is called")


def train_runs(args: argparse.Namespace) -> int:
    """Train a network, with one seed or several."""
    if not 1 <= args.seeds <= MOST_SEEDS:
        raise UsageError(
            f"--seeds {args.seeds} is not a number from 1 to {MOST_SEEDS}. Choose one."
        )
    info = dataset_named(args.dataset)
    design = chosen_design(args, info)
    offered = offered_recipe(design.plan.spec, info.name, info.train_count)
    recipe = changed_recipe(RECIPES[args.recipe].recipe if args.recipe else offered, args)
    request = RunRequest(
        spec=design.plan.spec,
        recipe=recipe,
        dataset=info.name,
        seed=args.seed,
        split_seed=args.split_seed,
        validation=args.validation,
        train_limit=args.train_limit,
        device=args.device,
        mode=args.mode,
        compile=args.compile,
        name=args.name,
        preset=design.preset,
    )
    _check_split(request, info)
    _check_mode_and_device(request)
    requests = _with_seeds(request, args.seeds)
    return submit(open_store(), requests, design.plan, args)


def _with_seeds(request: RunRequest, count: int) -> list[RunRequest]:
    """The request with consecutive seeds; several runs make a group."""
    if count == 1:
        return [request]
    group = secrets.token_hex(4)
    seeds = range(request.seed, request.seed + count)
    return [replace(request, seed=seed, group=group) for seed in seeds]


def _check_split(request: RunRequest, info: DatasetInfo) -> None:
    """The dataset has as many pictures as are asked for.

    Before it is prepared, its classes are taken to be equally large.

    Raises:
        RecipeError: More are asked for.
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
    train_validation_split(labels, request.validation, request.split_seed, request.train_limit)


def _check_mode_and_device(request: RunRequest) -> None:
    """Torch alone knows which there are, and it is slow to import: asked only where one is named.

    Raises:
        RecipeError: There is no such mode, or the machine has no such device.
    """
    if request.mode == "auto" and request.device in ("auto", "cpu"):
        return
    from cnnlib.train.mode import ExecutionMode, pick_device

    pick_device(request.device)
    if request.mode != "auto":
        ExecutionMode.from_name(request.mode)

"""``train``: train a design on a dataset with a recipe, one run per seed."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from cnnlib.cli.commands.datasets import dataset_named
from cnnlib.cli.design_options import add_adapt_option, add_design_options, selected_design
from cnnlib.cli.output import print_note
from cnnlib.cli.parser import JSON_LINES, UsageError, add_command, whole_number
from cnnlib.cli.run_here import add_queue_options, submit
from cnnlib.cli.run_options import add_run_options, run_request
from cnnlib.cli.store import open_store

MOST_SEEDS = 20


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    train = add_command(
        commands,
        "train",
        train_runs,
        "train a network",
        json=JSON_LINES,
        usage="%(prog)s [--preset NAME | --spec FILE] [--dataset NAME] [OPTIONS]",
    )
    add_design_options(train, required=False)
    train.add_argument("--dataset", metavar="NAME", default="digits", help="default: digits")
    add_adapt_option(train)
    run = add_run_options(train)
    run.add_argument(
        "--seeds",
        metavar="N",
        type=whole_number,
        default=1,
        help="number of runs, each with its own seed",
    )
    run.add_argument("--compile", action="store_true", help="try torch.compile")
    run.add_argument("--name", metavar="TEXT", default="", help="name of the run")
    add_queue_options(train)


def train_runs(args: argparse.Namespace) -> int:
    """Train a network, with one seed or several."""
    from cnnlib.data.split import describe_few_validation, validation_size

    if not 1 <= args.seeds <= MOST_SEEDS:
        raise UsageError(
            f"--seeds {args.seeds} is not between 1 and {MOST_SEEDS}. "
            "Choose a number in this range."
        )
    info = dataset_named(args.dataset)
    design = selected_design(args, info)
    request = run_request(args, info, design.plan.spec, design.preset)
    request = replace(request, compile=args.compile, name=args.name)
    if few := describe_few_validation(validation_size(info, request.validation)):
        print_note(few)
    return submit(open_store(), request, args, args.seeds)

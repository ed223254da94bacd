"""``pause``, ``step``, ``stop``, ``set``, ``fork`` and ``resume``: steer a run, or continue it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

from cnnlib.cli.output import print_result
from cnnlib.cli.parser import (
    JSON_LINES,
    UsageError,
    add_command,
    number,
    shown,
    unknown_name,
    whole_number,
)
from cnnlib.cli.run_here import add_queue_options, follow_all, submit
from cnnlib.cli.run_options import add_recipe_options, changed_recipe
from cnnlib.cli.store import existing_store, run_at_step
from cnnlib.errors import StoreError
from cnnlib.records.events import Command, CommandKind, Setting
from cnnlib.records.recipe import Recipe

SETTINGS: tuple[Setting, ...] = get_args(Setting)
_COMMANDS: dict[CommandKind, str] = {
    "pause": "pause a run after the current batch",
    "step": "train one batch of a paused run",
    "stop": "end a run and keep its weights",
}


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    for kind, help_text in _COMMANDS.items():
        parser = add_command(commands, kind, send_command, help_text, run=True)
        parser.set_defaults(commands=[Command(kind)])
    change = add_command(
        commands, "set", change_settings, "change settings of a run while it trains", run=True
    )
    change.add_argument("settings", metavar="NAME=VALUE", nargs="+", help=", ".join(SETTINGS))
    fork = add_command(
        commands,
        "fork",
        fork_run,
        "start a new run from a saved step of a run",
        run=True,
        json=JSON_LINES,
        usage="%(prog)s ID [--step N] [OPTIONS]",
    )
    fork.add_argument("--step", metavar="N", type=whole_number, help="default: the last saved one")
    fork.add_argument(
        "--weights-only",
        action="store_true",
        help="load the weights only: new optimizer state, from epoch 1",
    )
    fork.add_argument("--name", metavar="TEXT", default="", help="name of the new run")
    add_recipe_options(fork)
    add_queue_options(fork)
    resume = add_command(
        commands,
        "resume",
        resume_run,
        "continue a paused, stopped or interrupted run",
        run=True,
        json=JSON_LINES,
    )
    add_queue_options(resume)


def send_command(args: argparse.Namespace) -> None:
    """Send a command to a run, which executes it within one batch."""
    send(args.run_id, args.commands, as_json=args.json)


def change_settings(args: argparse.Namespace) -> None:
    """Change learning rate, momentum or weight decay from the next batch on."""
    changes = [_setting(text) for text in args.settings]
    send(args.run_id, changes, as_json=args.json)


def send(run_id: str, commands: Sequence[Command], *, as_json: bool) -> None:
    """Queue commands for a run's worker, and print them.

    Raises:
        StoreError: There is no such run, or it has ended.
    """
    store = existing_store(run_id)
    for command in commands:
        if not store.submit_command(run_id, command):
            raise StoreError(
                f"Run {run_id} is {store.run(run_id).state}, so {command.kind!r} has no effect. "
                "Only a run that is queued, training or paused accepts commands. Choose such a run."
            )
        facts = {"order": command.kind, "setting": command.setting, "value": command.value}
        value = f" {command.setting}={command.value:g}" if command.setting else ""
        text = f"{run_id}  {command.kind}{value}"
        print_result({"run_id": run_id} | facts, text, as_json=as_json)


def _setting(text: str) -> Command:
    """Parse ``lr=0.01`` as a command.

    Raises:
        UsageError: The form is another one, or the name is unknown.
        RecipeError: The value is out of range.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"{shown(text)} is not a setting. Write it as lr=0.01.")
    if name not in SETTINGS:
        raise UsageError(f"Setting {unknown_name(name, SETTINGS)}")
    try:
        changed = number(value)
    except argparse.ArgumentTypeError as error:
        raise UsageError(f"{name}: {error}") from error
    changes: dict[str, Any] = {name: changed}
    replace(Recipe(), **changes)  # the recipe knows the range
    return Command("set", name, changed)


def fork_run(args: argparse.Namespace) -> int:
    """Start a run from a saved step of another run."""
    from cnnlib.runs.saved_steps import fork_request, recipe_at

    is_continued = not args.weights_only
    store, parent, saved = run_at_step(args.run_id, args.step, to_continue=is_continued)
    base = recipe_at(store, parent, saved.step) if is_continued else parent.request.recipe
    recipe = changed_recipe(base, args)
    request = fork_request(
        store, parent, saved.step, recipe, weights_only=args.weights_only, name=args.name
    )
    if not args.json:
        print(
            f"Fork of {parent.title} at step {saved.step:,}: learning rate {recipe.lr:g}, "
            f"weight decay {recipe.weight_decay:g}, until epoch {recipe.epochs}."
        )
    return submit(store, request, args)


def resume_run(args: argparse.Namespace) -> int:
    """Continue a paused run in its process; put a run that ended back into the queue."""
    store = existing_store(args.run_id)
    if store.run(args.run_id).state == "paused":
        send(args.run_id, [Command("resume")], as_json=args.json)
        return 0
    store.resume(args.run_id)
    return follow_all(store, [args.run_id], args)

"""``pause``, ``step``, ``stop``, ``set``, ``fork`` and ``resume``: steer a run, or continue it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

from cnnlib.cli.diverged import fork_advice
from cnnlib.cli.output import print_result
from cnnlib.cli.parser import (
    JSON_LINES,
    PROGRAM,
    UsageError,
    add_command,
    id_of_run,
    number,
    shown,
    unknown_name,
    whole_number,
)
from cnnlib.cli.run_here import add_queue_options, follow_all, resume_command, submit
from cnnlib.cli.run_options import add_recipe_options, changed_recipe
from cnnlib.cli.store import existing_store, run_at_step
from cnnlib.errors import StoreError
from cnnlib.records.events import Command, CommandKind, Setting
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RESUMABLE_STATES

if TYPE_CHECKING:
    from cnnlib.runs import RunStore

_CONTINUED = tuple(state for state in RESUMABLE_STATES if state != "diverged")
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
        resume_runs,
        "continue runs that wait, are paused, or were stopped or interrupted",
        json=JSON_LINES,
    )
    resume.add_argument(
        "ids",
        metavar="ID",
        nargs="+",
        type=id_of_run,
        help="id of a run, or name of a group, such as that of the seeds of one command",
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


def resume_runs(args: argparse.Namespace) -> int:
    """Continue paused runs in their processes; train the others, from their last checkpoints."""
    store = existing_store(args.ids[0])
    found = list(dict.fromkeys(run for each in args.ids for run in _runs_named(store, each)))
    to_follow = []
    for run_id in found:
        state = store.run(run_id).state
        if state == "paused":
            send(run_id, [Command("resume")], as_json=args.json)
        elif state == "queued":
            to_follow.append(run_id)
        else:
            store.resume(run_id)
            to_follow.append(run_id)
    if not to_follow:
        return 0
    group = store.run(to_follow[0]).request.group
    is_group = args.ids == [group]
    whole = [run.id for run in reversed(store.runs(group=group))] if is_group else to_follow
    return follow_all(store, to_follow, args, whole)


def _runs_named(store: RunStore, name: str) -> list[str]:
    """Return the ids of the runs to continue: a run, or those of a group that are left.

    Raises:
        StoreError: There is neither; it is a study, which has a command of its own; the run
            diverged; or all runs of the group have ended.
    """
    from cnnlib.experiments.study import KINDS
    from cnnlib.runs import studies

    kinds = {study.id: study.kind for study in studies.find_all(store, tuple(KINDS))}
    if name in kinds:
        label = studies.KIND_LABELS[kinds[name]]
        raise StoreError(
            f"{name} is the id of a study of the kind {label}, not that of a run. To continue it: "
            f"'{resume_command(kinds[name], name)}'."
        )
    runs = store.runs(group=name)[::-1]
    if not runs:
        run = store.run(name)
        if run.state == "diverged":
            raise StoreError(
                f"The run {name} diverged and would diverge again. {fork_advice(store, run)}"
            )
        return [name]
    left = [run.id for run in runs if run.state in ("queued", "paused", *_CONTINUED)]
    if not left:
        raise StoreError(
            f"Each of the {len(runs)} runs of the group {name} is in training, finished or "
            f"diverged, so there is none to continue. '{PROGRAM} runs --group {name}' lists them."
        )
    return left

"""``fork`` and ``resume``: continue from a saved step of a run, with or without changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnlib.cli.commands.control import send
from cnnlib.cli.parser import JSON_LINES, add_command, whole_number
from cnnlib.cli.recipe_options import add_recipe_options, changed_recipe
from cnnlib.cli.store import existing_store, run_at_step
from cnnlib.cli.submit import add_queue_options, follow_all, submit
from cnnlib.records.events import Command

if TYPE_CHECKING:
    import argparse


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
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


def fork_run(args: argparse.Namespace) -> int:
    """Start a run from a saved step of another run."""
    from cnnlib.runs.forks import fork_request, recipe_at

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

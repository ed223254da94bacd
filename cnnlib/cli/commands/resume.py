"""``fork`` and ``resume``: from a saved step of a run, with changes or without."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cnnlib.cli.commands.control import send
from cnnlib.cli.parser import id_of_run, whole_number
from cnnlib.cli.recipe_options import add_recipe_options, changed_recipe
from cnnlib.cli.store import existing_store, run_at_step
from cnnlib.cli.submit import add_queue_options, follow_all, submit
from cnnlib.design.plan import plan
from cnnlib.errors import RecipeError
from cnnlib.records.events import Command
from cnnlib.records.run import Origin, Run

if TYPE_CHECKING:
    import argparse

    from cnnlib.records.recipe import Recipe
    from cnnlib.runs import RunStore


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    fork = commands.add_parser(
        "fork",
        help="start from a saved step of a run, with changes",
        usage="%(prog)s ID [--step N] [OPTIONS]",
    )
    fork.add_argument("run_id", metavar="ID", type=id_of_run)
    fork.add_argument("--step", metavar="N", type=whole_number, help="default: the last saved one")
    fork.add_argument("--weights-only", action="store_true", help="take the weights, begin anew")
    fork.add_argument("--name", metavar="TEXT", default="", help="name of the new run")
    add_recipe_options(fork)
    add_queue_options(fork)
    fork.set_defaults(command=fork_run)

    resume = commands.add_parser("resume", help="go on with a run that is paused or was broken off")
    resume.add_argument("run_id", metavar="ID", type=id_of_run)
    add_queue_options(resume)
    resume.set_defaults(command=resume_run)


def fork_run(args: argparse.Namespace) -> int:
    """Start a run from a saved step of another one, with another recipe."""
    is_continued = not args.weights_only
    store, parent, saved = run_at_step(args.run_id, args.step, to_continue=is_continued)
    recipe = changed_recipe(parent.request.recipe, args)
    if is_continued:
        _check_epochs_are_left(store, parent, saved.step, recipe)
    request = replace(
        parent.request,
        recipe=recipe,
        name=args.name,
        group="",
        origin=Origin(parent.id, saved.step, args.weights_only),
    )
    return submit(store, [request], plan(request.spec), args)


def resume_run(args: argparse.Namespace) -> int:
    """Let a paused run go on where it is; put one that ended back into the queue."""
    store = existing_store(args.run_id)
    if store.run(args.run_id).state == "paused":
        send(args.run_id, [Command("resume")], as_json=args.json)
        return 0
    store.resume(args.run_id)
    return follow_all(store, [args.run_id], args)


def _check_epochs_are_left(store: RunStore, parent: Run, step: int, recipe: Recipe) -> None:
    """A fork counts on from its step.

    Raises:
        RecipeError: Its recipe would end before it begins.
    """
    done = sum(epoch.step <= step for epoch in store.epochs(parent.id))
    if done >= recipe.epochs:
        raise RecipeError(
            f"The fork starts after epoch {done}, but its recipe ends after epoch {recipe.epochs}. "
            "Ask for more --epochs, or start from an earlier --step."
        )

"""``duel``: is B better than A? Train both with paired seeds until a sequential test decides."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cnnlib.cli.commands.datasets import dataset_named
from cnnlib.cli.commands.watch import POLL_SECONDS
from cnnlib.cli.design_options import read_spec
from cnnlib.cli.output import print_json
from cnnlib.cli.parser import (
    INTERRUPTED,
    JSON_LINES,
    PROGRAM,
    UsageError,
    add_command,
    add_number,
    id_of_run,
    one_of,
)
from cnnlib.cli.run_here import StudyFollower, resume_command, workers_for
from cnnlib.cli.run_options import (
    DETACH_ALL,
    add_recipe_options_of_b,
    add_run_options,
    recipe_of_b,
    run_request,
)
from cnnlib.cli.store import existing_store, open_store, print_unless_served
from cnnlib.design.presets import adapt, preset, presets
from cnnlib.units import plural

if TYPE_CHECKING:
    import argparse

    from cnnlib.design.spec import CNNSpec
    from cnnlib.experiments.duel import DuelState
    from cnnlib.runs import RunStore


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    duel = add_command(
        commands,
        "duel",
        run_duel,
        "test whether design B is better than design A",
        json=JSON_LINES,
        usage="%(prog)s A B [--dataset NAME] [OPTIONS]\n       %(prog)s --id ID [--json]",
        description="Train both designs with paired seeds until the test decides: one design is "
        "better, both are equal, or the result is open. The test allows for the repeated checks.",
    )
    duel.add_argument("designs", metavar="A B", nargs="*", help="each a preset, a file, or a link")
    duel.add_argument(
        "--id", metavar="ID", type=id_of_run, help="resume a duel, or show it (--detach)"
    )
    duel.add_argument("--dataset", metavar="NAME", default="digits", help="default: digits")
    add_number(duel, "--pairs", 6, "pairs that are queued at the start")
    add_number(duel, "--max-pairs", 20, "maximum number of pairs, from 6 to 100")
    add_number(
        duel,
        "--within",
        0.1,
        "count as equal below this difference, in percentage points",
        metavar="POINTS",
    )
    duel.add_argument(
        "--on",
        metavar="SPLIT",
        type=one_of(("validation", "test")),
        help="split whose accuracy is compared: validation (default) or test",
    )
    duel.add_argument(
        "--expect",
        metavar="OUTCOME",
        type=one_of(("a", "same", "b")),
        help="your prediction: a or b is better, or same; the verdict is held against it",
    )
    add_run_options(duel)
    add_recipe_options_of_b(duel)
    duel.add_argument("--detach", action="store_true", help=DETACH_ALL)


def run_duel(args: argparse.Namespace) -> int:
    """Start or continue a duel, and print its state until it is over."""
    from cnnlib.experiments.duel import duel_state, start_duel
    from cnnlib.experiments.study import resume_study

    if args.id:
        store, duel_id = existing_store(args.id), args.id
        if not args.detach and duel_state(store, duel_id).can_resume:
            resume_study(store, duel_id)
    elif len(args.designs) == 2:
        duel = _duel(args)
        store = open_store()
        duel_id = start_duel(store, duel)
    else:
        raise UsageError(
            f"A duel needs two designs, but the command has {plural(len(args.designs), 'design')}. "
            "Write: duel A B, or duel --id ID to continue a duel."
        )
    if args.detach:
        state = duel_state(store, duel_id)
        _print_state(state, args.json)
        if state.state == "live" and not args.json:
            print(f"To see it later: '{PROGRAM} duel --id {duel_id} --detach'.", flush=True)
            print_unless_served(store, "its runs", resume_command("duel", duel_id))
        return 0
    with workers_for(store, 2) as has_workers:
        return _run_to_end(store, duel_id, args.json, has_workers)


def _run_to_end(store: RunStore, duel_id: str, as_json: bool, has_workers: bool) -> int:
    """Print the state after each pair; train runs here that no worker takes."""
    from cnnlib.experiments.duel import duel_state
    from cnnlib.experiments.study import advance_studies

    follower = StudyFollower(store, duel_id, as_json=as_json, has_workers=has_workers)
    printed_pairs = -1
    while True:
        advance_studies(store)
        state = duel_state(store, duel_id)
        runs = follower.unprinted(state.runs)
        is_waiting = any(run.is_live for run in state.runs)
        has_ended = not runs and (state.state != "live" or bool(state.problem and not is_waiting))
        if has_ended or (state.state == "live" and state.verdict.pairs != printed_pairs):
            printed_pairs = state.verdict.pairs
            _print_state(state, as_json)
        if has_ended:
            return {"done": 0, "live": INTERRUPTED}.get(state.state, 3)
        if not runs:
            time.sleep(POLL_SECONDS)
        elif not follower.follow(runs[0]):
            return INTERRUPTED


def _duel(args: argparse.Namespace) -> Any:
    """Build the duel of the options; the designs share all settings but those of ``-b``."""
    from cnnlib.experiments.duel import Duel

    _check_numbers(args)
    info = dataset_named(args.dataset)
    sides = [_design(name, info.in_size, len(info.classes)) for name in args.designs]
    request = run_request(args, info, sides[0][0])
    a, b = (replace(request, spec=spec, preset=name) for spec, name in sides)
    b = replace(b, recipe=recipe_of_b(a, b.spec, info, args))
    names = [name or f"design {letter}" for (_, name), letter in zip(sides, "AB", strict=True)]
    if names[0] == names[1]:
        names = [f"{names[0]} (A)", f"{names[1]} (B)"]
    name_a, name_b = names
    return Duel(
        *(a, b, name_a, name_b),
        most_pairs=args.max_pairs,
        first_pairs=args.pairs,
        within=args.within / 100,
        on=args.on or "validation",
        prediction=args.expect or "",
    )


def _check_numbers(args: argparse.Namespace) -> None:
    """Check the options of a duel by their names.

    Raises:
        UsageError: A number is out of range.
    """
    from cnnlib.experiments.group_sequential import FIRST_LOOK, MOST_PAIRS

    if not FIRST_LOOK <= args.max_pairs <= MOST_PAIRS:
        raise UsageError(
            f"--max-pairs {args.max_pairs} is not from {FIRST_LOOK} to {MOST_PAIRS}. Choose a "
            "number in this range."
        )
    if not 1 <= args.pairs <= args.max_pairs:
        raise UsageError(
            f"--pairs {args.pairs} is not from 1 to --max-pairs {args.max_pairs}. Choose a number "
            "in this range, or a larger maximum."
        )
    if not 0 <= args.within < 100:
        raise UsageError(
            f"--within {args.within:g} is not a difference of accuracies in percentage points. It "
            "must be at least 0 and below 100. Choose a number in this range."
        )
    if args.validation == 0 and args.on != "test":
        raise UsageError(
            "The duel compares accuracy on the validation split, but --validation 0 keeps no "
            "pictures for it. Keep some, or compare on the test split with --on test."
        )


def _design(text: str, in_size: tuple[int, int, int], classes: int) -> tuple[CNNSpec, str]:
    """Return a spec fitted to the dataset, and the name of its preset or ""."""
    is_preset = text in {each.name for each in presets()}
    spec = preset(text).spec if is_preset else read_spec(text)
    return adapt(spec, in_size, classes), text if is_preset else ""


def _print_state(state: DuelState, as_json: bool) -> None:
    from cnnlib.experiments.duel import (
        forecast_sentence,
        prediction_sentence,
        recipe_differences,
        recipes_sentence,
    )

    if as_json:
        print_json(
            {
                "event": "duel",
                "duel_id": state.id,
                "state": state.state,
                "sentence": state.sentence,
                "trouble": state.problem,
                "recipes": recipes_sentence(state.duel),
                "verdict": state.verdict,
                "pairs": [[run.id if run else None for run in pair] for pair in state.pairs],
            }
        )
        return
    print(f"{state.id}  {state.sentence}", flush=True)
    if said := prediction_sentence(state.duel, state.verdict):
        print(said, flush=True)
    if state.verdict.is_over and recipe_differences(state.duel):
        print(recipes_sentence(state.duel), flush=True)
    if state.not_counted:
        pairs = plural(state.not_counted, "further pair")
        print(f"{pairs} queued when the verdict fell: not counted.", flush=True)
    if forecast := forecast_sentence(state.verdict):
        print(forecast, flush=True)
    if state.problem:
        print(state.problem, flush=True)
    if state.verdict.is_over:
        print(f"Its verdict card: '{PROGRAM} verdict {state.id}'.", flush=True)
    if state.can_resume:
        print(f"To train what is missing: '{resume_command('duel', state.id)}'.", flush=True)

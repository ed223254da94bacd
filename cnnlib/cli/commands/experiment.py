"""``experiment``: a grid or a search over settings, queued as ordinary runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from cnnlib.cli.commands.datasets import dataset_named
from cnnlib.cli.commands.watch import POLL_SECONDS
from cnnlib.cli.design_options import add_adapt_option, add_design_options, selected_design
from cnnlib.cli.output import duration, format_date, print_json, print_table
from cnnlib.cli.parser import (
    INTERRUPTED,
    JSON_LINES,
    PROGRAM,
    UsageError,
    add_command,
    add_number,
    id_of_run,
    shown,
)
from cnnlib.cli.run_here import StudyFollower, resume_command, workers_for
from cnnlib.cli.run_options import DETACH_ALL, add_run_options, run_request
from cnnlib.cli.store import existing_store, has_store, open_store, print_unless_served
from cnnlib.units import percent

if TYPE_CHECKING:
    import argparse

    from cnnlib.experiments.grid import ExperimentState
    from cnnlib.runs import RunStore


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    experiment = commands.add_parser("experiment", help="vary settings: a grid or a search")
    subcommands = experiment.add_subparsers(metavar="COMMAND", required=True, dest="which")
    _add_start(subcommands, "grid", "train every combination of the given values")
    _add_start(subcommands, "search", "let Optuna look for the best settings")
    for name, text, command, aliases in (
        ("show", "show the state of an experiment", show_experiment, []),
        ("stop", "stop the runs of an experiment and start no more", stop_experiment, []),
        (
            "resume",
            "train here the runs that have no result",
            resume_experiment,
            ["go-on"],
        ),
        ("finer", "start a search around the best values of an experiment", search_finer, []),
    ):
        one = add_command(subcommands, name, command, text, aliases=aliases)
        one.add_argument("id", metavar="ID", type=id_of_run)
        if name == "finer":
            one.add_argument("--detach", action="store_true", help=DETACH_ALL)
    add_command(
        subcommands,
        "list",
        list_experiments,
        "list experiments and duels",
        json="print a JSON list",
    )


def _add_start(commands: Any, name: str, text: str) -> None:
    start = add_command(
        commands,
        name,
        start_experiment,
        text,
        json=JSON_LINES,
        description=f"{text[0].upper()}{text[1:]}. A setting is a field of the design or of the "
        "recipe, or K, L or P: L convolutions with K filters each, pooling after every P "
        "convolutions (default L/4).",
    )
    add_design_options(start)
    start.add_argument("--dataset", metavar="NAME", default="digits", help="default: digits")
    add_adapt_option(start)
    values = "a setting and its values, such as lr=0.01,0.1"
    if name == "search":
        values += ", or a range: lr=0.001..0.1 or lr=0.001..0.1:log"
    start.add_argument(
        "--vary", metavar="SETTING=VALUES", action="append", required=True, help=values
    )
    start.add_argument("--name", metavar="TEXT", default="", help="name of the experiment")
    if name == "grid":
        add_number(start, "--seeds", 1, "runs per combination, each with its own seed")
    else:
        add_number(start, "--trials", 20, "number of trials")
        start.add_argument(
            "--no-prune",
            action="store_true",
            help="train every trial to its end; do not stop weak trials early",
        )
    add_run_options(start)
    start.add_argument("--detach", action="store_true", help=DETACH_ALL)


def start_experiment(args: argparse.Namespace) -> int:
    """Start a grid or a search, and train its runs until it is over."""
    from cnnlib.experiments.grid import start_grid
    from cnnlib.experiments.search_space import read_range, read_values

    info = dataset_named(args.dataset)
    design = selected_design(args, info)
    base = run_request(args, info, design.plan.spec, design.preset)
    varied = dict(_split(text) for text in args.vary)
    store = open_store()
    if args.which == "grid":
        values = {name: read_values(text) for name, text in varied.items()}
        study_id = start_grid(store, base, values, seeds=args.seeds, name=args.name)
    else:
        from cnnlib.experiments.search import start_search

        space = {name: read_range(text) for name, text in varied.items()}
        options = {"trials": args.trials, "name": args.name, "prune": not args.no_prune}
        study_id = start_search(store, base, space, **options)
    return _train_or_detach(store, study_id, args)


def search_finer(args: argparse.Namespace) -> int:
    """Start a search around the best values of an experiment, and train its runs."""
    from cnnlib.experiments.search import start_finer_search

    store = existing_store(args.id)
    return _train_or_detach(store, start_finer_search(store, args.id), args)


def _train_or_detach(store: RunStore, study_id: str, args: argparse.Namespace) -> int:
    """Train the runs of a new experiment until it is over, or say how to see it later."""
    if not args.detach:
        return _run_to_end(store, study_id, args)
    _print_state(store, study_id, args)
    if not args.json:
        print(f"\nTo see it later: '{PROGRAM} experiment show {study_id}'.")
    return 0


def show_experiment(args: argparse.Namespace) -> int:
    """Print an experiment: its trials, the effect of each setting, the best trial."""
    return _print_state(existing_store(args.id), args.id, args)


def stop_experiment(args: argparse.Namespace) -> int:
    """End an experiment."""
    from cnnlib.experiments.grid import experiment_state
    from cnnlib.runs import studies

    store = existing_store(args.id)
    experiment_state(store, args.id)  # a duel is refused before it is stopped
    studies.stop(store, args.id)
    return _print_state(store, args.id, args)


def resume_experiment(args: argparse.Namespace) -> int:
    """Train the runs of an experiment that have no result, until it is over."""
    from cnnlib.experiments.grid import experiment_state
    from cnnlib.experiments.study import resume_study

    store = existing_store(args.id)
    experiment_state(store, args.id)  # a duel is refused before it is resumed
    resume_study(store, args.id)
    return _run_to_end(store, args.id, args)


def list_experiments(args: argparse.Namespace) -> None:
    """Print one line per experiment or duel, the newest first."""
    from cnnlib.experiments.study import KINDS
    from cnnlib.runs import studies

    store = open_store() if has_store() else None
    found = studies.find_all(store, tuple(KINDS)) if store else []
    if args.json:
        facts = ("id", "kind", "state", "created")
        print_json([{name: getattr(each, name) for name in facts} for each in found])
    elif store is None or not found:
        print("No experiments yet.")
    else:
        lines = [
            (
                *(each.id, each.kind, _shown_state(store, each.state)),
                *(len(each.progress["runs"]), format_date(each.created)),
            )
            for each in found
        ]
        print_table(("id", "kind", "state", "runs", "created"), lines)


def _run_to_end(store: RunStore, study_id: str, args: argparse.Namespace) -> int:
    """Train the runs of an experiment until it is over."""
    with workers_for(store, 2) as has_workers:
        return _follow(store, study_id, args, has_workers)


def _follow(store: RunStore, study_id: str, args: argparse.Namespace, has_workers: bool) -> int:
    """Follow one run after another; train here those that no worker takes."""
    from cnnlib.experiments.grid import experiment_state
    from cnnlib.experiments.study import advance_studies

    follower = StudyFollower(store, study_id, as_json=args.json, has_workers=has_workers)
    while True:
        advance_studies(store)
        state = experiment_state(store, study_id)
        runs = follower.unprinted([run for trial in state.trials for run in trial.runs])
        if runs:
            if not follower.follow(runs[0]):
                return INTERRUPTED
        elif state.state == "live":
            time.sleep(POLL_SECONDS)
        else:
            _print_state(store, study_id, args)
            return 0 if state.state == "done" else 3


def _print_state(store: RunStore, study_id: str, args: argparse.Namespace) -> int:
    from cnnlib.experiments.grid import best_sentence, effects, effects_note, experiment_state
    from cnnlib.records.setting_labels import setting_label

    state = experiment_state(store, study_id)
    found = effects(state.trials)
    note = effects_note(state, found)
    if args.json:
        facts = {"effects": found, "effects_note": note}
        print_json({"event": "experiment"} | _facts(state) | facts)
        return 0
    eta = f", about {duration(state.eta_seconds)} left" if state.eta_seconds else ""
    print(f"{state.id}  {state.kind} {_shown_state(store, state.state)}, {state.progress}{eta}\n")
    lines = [
        (trial.title, percent(trial.score, unknown=""), ", ".join(trial.states), _ids(trial))
        for trial in state.trials
    ]
    print_table(("settings", "validation accuracy", "state", "runs"), lines)
    for trial in state.invalid:
        print(f"{trial.title}: {trial.reason}")
    if state.missing:
        command = resume_command(state.kind, state.id)
        print(f"\n{state.missing} To train what is missing: '{command}'.")
    if state.best:
        print(f"\n{best_sentence(state)}")
        for effect in found:
            if effect.spread is not None:
                print(
                    f"{setting_label(effect.setting)}: changes the mean accuracy by up to "
                    f"{100 * effect.spread:.2f} percentage points"
                )
    if note:
        print(note)
    if state.state == "live":
        print_unless_served(store, "its runs", resume_command(state.kind, state.id))
    return 0


def _shown_state(store: RunStore, state: str) -> str:
    """Return the state of a study; one that is live, but that no worker trains, is incomplete."""
    return "incomplete" if state == "live" and not store.workers.serve_runs() else state


def _facts(state: ExperimentState) -> dict[str, Any]:
    """Convert an experiment to plain values."""

    def trial_facts(trial: Any) -> dict[str, Any]:
        return {
            "settings": trial.settings,
            "score": trial.score,
            "reason": trial.reason,
            "run_ids": [run.id for run in trial.runs],
            "states": trial.states,
        }

    names = (
        *("id", "kind", "name", "state", "asked", "measured", "pruned"),
        *("counts", "eta_seconds", "created"),
    )
    return {name: getattr(state, name) for name in names} | {
        "trials": [trial_facts(trial) for trial in state.trials],
        "invalid": [trial_facts(trial) for trial in state.invalid],
        "best": trial_facts(state.best) if state.best else None,
    }


def _ids(trial: Any) -> str:
    return " ".join(run.id for run in trial.runs)


def _split(text: str) -> tuple[str, str]:
    """Split ``lr=0.1,0.2`` into name and values."""
    name, equals, values = text.partition("=")
    if not equals or not name.strip() or not values.strip():
        raise UsageError(
            f"--vary {shown(text)} is incomplete. Write a setting and its values: K=32,64."
        )
    return name.strip(), values

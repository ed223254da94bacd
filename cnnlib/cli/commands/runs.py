"""``runs``, ``runs show``, ``rename`` and ``delete``: the runs of the store."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from cnnlib.cli.diverged import fork_advice
from cnnlib.cli.output import (
    duration,
    format_date,
    one_line,
    print_facts,
    print_json,
    print_result,
    print_table,
)
from cnnlib.cli.parser import MOST_SHOWN, PROGRAM, add_command, id_of_run, one_of, whole_number_from
from cnnlib.cli.store import (
    all_run_facts,
    existing_store,
    has_store,
    open_store,
    print_unless_served,
    run_facts,
)
from cnnlib.records.diagnosis import diagnosis_lines
from cnnlib.records.run import RUN_STATES, Run
from cnnlib.units import percent, plural

if TYPE_CHECKING:
    from cnnlib.runs import RunStore


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    runs = add_command(
        commands, "runs", list_runs, "list runs, or show one", json="print a JSON list"
    )
    runs.add_argument(
        "--state",
        metavar="NAME",
        type=one_of(RUN_STATES),
        action="append",
        help="only runs in this state; can be repeated",
    )
    runs.add_argument("--dataset", metavar="NAME", help="only runs on this dataset")
    runs.add_argument("--group", metavar="NAME", help="only runs of this group")
    runs.add_argument(
        "--limit",
        metavar="N",
        type=whole_number_from(1, MOST_SHOWN),
        default=30,
        help="at most this many runs; default: 30",
    )
    subcommands = runs.add_subparsers(metavar="show", dest="which")
    add_command(subcommands, "show", show_run, "everything about one run", run=True)

    rename = add_command(commands, "rename", rename_run, "rename a run", run=True)
    rename.add_argument("name", metavar="NAME", help='"" restores the name of its design')
    delete = add_command(commands, "delete", delete_runs, "delete runs and their files")
    delete.add_argument("run_ids", metavar="ID", nargs="+", type=id_of_run)


def list_runs(args: argparse.Namespace) -> None:
    """Print one line per run, the newest first."""
    store = open_store() if has_store() else None
    found = store.runs(states=args.state) if store else []
    matching = [run for run in found if _matches(run, args)]
    shown = matching[: max(0, args.limit)]
    if args.json:
        print_json([run_facts(run) for run in shown])
    elif not matching:
        print("No runs yet." if not found else "No run matches.")
    else:
        headings = (
            *("run", "state", "name", "params", "epochs"),
            *("val accuracy", "test accuracy", "time", "created"),
        )
        print_table(headings, [_line(run) for run in shown])
        if len(shown) < len(matching):
            print(
                f"\nThe newest {len(shown):,} of {plural(len(matching), 'run')}; "
                f"with --limit {len(matching)}, all of them."
            )
        waiting = [run.id for run in shown if run.state == "queued"]
        if store is not None and waiting:
            print_unless_served(store, "what waits", f"{PROGRAM} resume {' '.join(waiting[:3])}")


def show_run(args: argparse.Namespace) -> None:
    """Print everything about one run except its steps."""
    store = existing_store(args.run_id)
    run = store.run(args.run_id)
    facts = all_run_facts(store, run)
    if args.json:
        print_json(facts)
        return
    print_facts(
        {
            "run": run.id,
            "name": run.title,
            "state": f"{run.state}: {run.reason}" if run.reason else run.state,
            "place in the queue": store.position(run.id),
            "parameters": facts["params"],
            "MACs": facts["macs"],
            "steps": f"{run.step:,} of {run.total_steps:,}",
            "training time": duration(run.train_seconds),
            "pictures per second": facts["images_per_second"],
            "validation accuracy": percent(facts["val_accuracy"], unknown=""),
            "weights of epoch": facts["weights_epoch"],
            "weights of step": facts["val_step"],
            "best validation accuracy": _best_epoch(facts),
            "test accuracy": percent(facts["test_accuracy"], unknown=""),
            "created": format_date(run.created),
            **{about.lower(): sentence for about, sentence in facts["explained"].items()},
        }
    )
    print()
    _print_diagnoses(store, run)
    print_table(
        ("epoch", "train loss", "train accuracy", "val loss", "val accuracy", "time"),
        [
            (
                epoch.epoch,
                epoch.train_loss,
                percent(epoch.train_accuracy, unknown=""),
                epoch.val_loss,
                percent(epoch.val_accuracy, unknown=""),
                duration(epoch.seconds),
            )
            for epoch in store.epochs(run.id)
        ],
    )


def _best_epoch(facts: dict[str, Any]) -> str:
    """Write the best accuracy with its epoch; "" where it is that of the weights."""
    if facts["best_val_accuracy"] in (None, facts["val_accuracy"]):
        return ""
    return f"{percent(facts['best_val_accuracy'])}, epoch {facts['best_val_epoch']}"


def _print_diagnoses(store: RunStore, run: Run) -> None:
    """Print the diagnosed problems of a run."""
    from cnnlib.diagnosis.report import diagnoses_of

    for diagnosis in diagnoses_of(store, run):
        print("\n".join(diagnosis_lines(diagnosis)), end="\n\n")
    if advice := fork_advice(store, run):
        print(advice, end="\n\n")


def rename_run(args: argparse.Namespace) -> None:
    """Give a run another name."""
    store = existing_store(args.run_id)
    store.rename(args.run_id, args.name)
    run = store.run(args.run_id)
    print_result(run_facts(run), f"{run.id}  {one_line(run.title)}", as_json=args.json)


def delete_runs(args: argparse.Namespace) -> None:
    """Remove runs with their files; checks all of them before removing the first."""
    store = existing_store(args.run_ids[0])
    for run_id in args.run_ids:
        store.check_deletable(run_id)
    for run_id in args.run_ids:
        store.delete(run_id)
        print_result({"run_id": run_id, "deleted": True}, f"{run_id}  deleted", as_json=args.json)


def _matches(run: Run, args: argparse.Namespace) -> bool:
    dataset, group = run.request.dataset, run.request.group
    return args.dataset in (None, dataset) and args.group in (None, group)


def _line(run: Run) -> tuple[Any, ...]:
    facts = run_facts(run)
    return (
        run.id,
        run.state,
        run.title,
        facts["params"],
        f"{run.epoch}/{run.request.recipe.epochs}",
        percent(facts["val_accuracy"], unknown=""),
        percent(facts["test_accuracy"], unknown=""),
        duration(run.train_seconds),
        format_date(run.created),
    )

"""Submit runs to the queue, and follow them to their end."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from cnnlib.cli.commands.watch import progress_output
from cnnlib.cli.output import one_line, print_json
from cnnlib.cli.run_facts import run_facts
from cnnlib.cli.run_here import INTERRUPTED, follow_or_train
from cnnlib.records.events import Command
from cnnlib.units import percent, plural

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from cnnlib.records.run import Run, RunRequest
    from cnnlib.runs import RunStore


def add_queue_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--now`` and ``--detach``."""
    when = parser.add_mutually_exclusive_group()
    when.add_argument("--now", action="store_true", help="skip the queue: train here and now")
    when.add_argument(
        "--detach", action="store_true", help="queue the run for a worker, and return"
    )


def submit(store: RunStore, request: RunRequest, args: argparse.Namespace, seeds: int = 1) -> int:
    """Queue runs of one design, and follow them to their end."""
    from cnnlib.train.submit import submit_runs

    return follow_all(store, submit_runs(store, request, seeds, now=args.now), args)


def follow_all(store: RunStore, run_ids: Sequence[str], args: argparse.Namespace) -> int:
    """Follow each run until it ends; returns the worst of their exit codes."""
    if args.detach:
        for run_id in run_ids:
            _print_queued(store.run(run_id), args.json)
        return 0
    codes = []
    for run_id in run_ids:
        if INTERRUPTED in codes:
            store.submit_command(run_id, Command("stop"))
        else:
            codes.append(
                follow_or_train(store, run_id, progress_output(args.json), skip_queue=args.now)
            )
    if len(run_ids) > 1:
        _print_group([store.run(run_id) for run_id in run_ids], args.json)
    return INTERRUPTED if INTERRUPTED in codes else max(codes)


def _print_queued(run: Run, as_json: bool) -> None:
    if as_json:
        print_json({"event": "state"} | run_facts(run))
    else:
        print(f"{run.id}  {run.state}  {one_line(run.title)}")


def _print_group(runs: Sequence[Run], as_json: bool) -> None:
    """Print the mean over all seeds."""
    facts = [run_facts(run) for run in runs]
    scores = {
        name: [fact[name] for fact in facts if fact[name] is not None]
        for name in ("val_accuracy", "test_accuracy")
    }
    means = {name: fmean(values) if values else None for name, values in scores.items()}
    if as_json:
        both = {"event": "group", "group": runs[0].request.group}
        print_json(both | {"run_ids": [run.id for run in runs]} | means | {"runs": facts})
        return
    parts = [f"mean of {plural(len(runs), 'seed')}:"]
    parts += [
        f"{name.replace('_', ' ')} {percent(mean)}"
        for name, mean in means.items()
        if mean is not None
    ]
    print("  ".join(parts))

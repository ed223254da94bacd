"""``cluster``: the machines of a Ray cluster; keep it supplied with workers, or end them."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import closing, contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

from cnnlib.cli.output import print_note, print_result, print_rows
from cnnlib.cli.parser import INTERRUPTED, add_command
from cnnlib.records.events import Command
from cnnlib.units import plural

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator

    from cnnlib.runs import RunStore
    from cnnlib.runs.places.place import Node, Report
    from cnnlib.runs.places.ray_cluster import RayCluster

_PATIENCE_SECONDS = 60.0  # for the checkpoints of the runs
_POLL_SECONDS = 0.5


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    cluster = add_command(
        commands, "cluster", show, "the machines of the Ray cluster at RAY_ADDRESS"
    )
    subcommands = cluster.add_subparsers(metavar="WHAT", dest="what")
    add_command(subcommands, "show", show, "machines, room for runs, workers")
    add_command(
        subcommands,
        "serve",
        serve,
        "keep the cluster supplied with workers until Ctrl-C, as the app does",
    )
    add_command(
        subcommands, "end", end, "end all workers; runs write a checkpoint and can be resumed"
    )


def show(args: argparse.Namespace) -> None:
    """Print the machines of the cluster."""
    from cnnlib.cli.store import open_store

    with closing(open_store()) as store, _connected(store) as cluster:
        report = cluster.report()
    rows = [_row(node) for node in report.nodes]
    headings = ("host", "address", "state", "cores", "GPUs", "memory MB", "runs at once")
    print_rows(report, headings, rows, as_json=args.json)
    if not args.json:
        print(f"{plural(report.workers, 'worker')}, room for {plural(report.room, 'run')}")
        print_trouble(report)


@contextmanager
def _connected(store: RunStore) -> Generator[RayCluster]:
    """Connect to the cluster; what Ray prints meanwhile goes to standard error."""
    from cnnlib.runs.places.reconciler import open_cluster

    with redirect_stdout(sys.stderr), closing(open_cluster(store)) as cluster:
        yield cluster


def _row(node: Node) -> tuple[Any, ...]:
    state = "alive" if node.is_alive else "dead"
    capacity = (node.cpus, node.gpus, node.memory_mb, node.room)
    return (node.host, node.address, "refused" if node.refused else state, *capacity)


def print_trouble(report: Report) -> None:
    """Print what is wrong with a place, if anything is."""
    if report.trouble:
        print_note(report.trouble)


def serve(args: argparse.Namespace) -> int:
    """Keep the cluster supplied with workers."""
    from cnnlib.cli.store import open_store
    from cnnlib.runs.places import reconciler

    last = ""

    def note(report: Report) -> None:
        nonlocal last
        text = f"{plural(report.workers, 'worker')}, room for {plural(report.room, 'run')}"
        if (text := report.trouble or text) != last:
            print_result(report, text, as_json=args.json)
            last = text

    with closing(open_store()) as store:
        try:
            reconciler.serve(store, note, threading.Event())
        except KeyboardInterrupt:
            print_note("The workers go on; 'cluster end' ends them.")
    return INTERRUPTED


def end(args: argparse.Namespace) -> None:
    """Interrupt all runs on the cluster, then end its workers."""
    from cnnlib.cli.store import open_store
    from cnnlib.runs.queue import BUSY_STATES

    with closing(open_store()) as store, _connected(store) as cluster:
        runs = store.runs(states=BUSY_STATES)
        for run in runs:
            store.submit_command(run.id, Command("interrupt"))
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while any(store.run(run.id).is_live for run in runs) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        ended = cluster.end_workers()
    text = f"Ended {plural(ended, 'worker')}; {plural(len(runs), 'run')} can be resumed."
    print_result({"workers": ended, "runs": [run.id for run in runs]}, text, as_json=args.json)

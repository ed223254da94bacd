"""``export-runs`` and ``import-runs``: move runs between stores as one archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlib.cli.output import print_result
from cnnlib.cli.parser import UsageError, add_command, id_of_run
from cnnlib.cli.store import existing_store, has_store, open_store
from cnnlib.units import plural

if TYPE_CHECKING:
    import argparse


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    export = add_command(
        commands, "export-runs", export_command, "write runs into one archive file"
    )
    export.add_argument("output", metavar="FILE", help="the zip file to write")
    export.add_argument("run_ids", metavar="ID", nargs="*", type=id_of_run)
    export.add_argument("--group", metavar="NAME", help="the runs of this group")
    export.add_argument("--all", action="store_true", help="all runs that have ended")
    export.add_argument("--no-weights", action="store_true", help="metrics and predictions only")
    import_ = add_command(
        commands, "import-runs", import_command, "import the runs of an archive file"
    )
    import_.add_argument("input", metavar="FILE")


def export_command(args: argparse.Namespace) -> None:
    """Write runs into one archive."""
    from cnnlib.runs.archive.archive import export_runs

    if not (args.run_ids or args.group or args.all):
        raise UsageError("No run is selected. Give run ids, or add --group NAME or --all.")
    if not has_store():
        existing_store(args.run_ids[0] if args.run_ids else args.group or "")
    store = open_store()
    selected = list(args.run_ids)
    if args.group or args.all:
        found = store.runs(group=args.group) if args.group else store.runs()
        selected += [run.id for run in found if not run.is_live]
    ids = export_runs(store, selected, Path(args.output), weights=not args.no_weights)
    text = f"{plural(len(ids), 'run')} written to {args.output}"
    print_result({"file": args.output, "run_ids": ids}, text, as_json=args.json)


def import_command(args: argparse.Namespace) -> None:
    """Import the runs of an archive."""
    from cnnlib.runs.archive.archive import import_runs

    ids = import_runs(open_store(), Path(args.input))
    print_result({"file": args.input, "run_ids": ids}, "\n".join(ids), as_json=args.json)

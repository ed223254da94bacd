"""``export-runs`` and ``import-runs``: move runs between stores as one archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlib.cli.output import print_json
from cnnlib.cli.parser import UsageError, id_of_run
from cnnlib.cli.store import existing_store, has_store, open_store
from cnnlib.units import plural

if TYPE_CHECKING:
    import argparse


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    export = commands.add_parser("export-runs", help="write runs into one archive file")
    export.add_argument("output", metavar="FILE", help="the zip file to write")
    export.add_argument("run_ids", metavar="ID", nargs="*", type=id_of_run)
    export.add_argument("--group", metavar="NAME", help="the runs of this group")
    export.add_argument("--all", action="store_true", help="all runs that have ended")
    export.add_argument("--no-weights", action="store_true", help="metrics and predictions only")
    export.add_argument("--json", action="store_true", help="print JSON")
    export.set_defaults(command=export_command)

    import_ = commands.add_parser("import-runs", help="import the runs of an archive file")
    import_.add_argument("input", metavar="FILE")
    import_.add_argument("--json", action="store_true", help="print JSON")
    import_.set_defaults(command=import_command)


def export_command(args: argparse.Namespace) -> int:
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
    if args.json:
        print_json({"file": args.output, "run_ids": ids})
    else:
        print(f"{plural(len(ids), 'run')} written to {args.output}")
    return 0


def import_command(args: argparse.Namespace) -> int:
    """Import the runs of an archive."""
    from cnnlib.runs.archive.archive import import_runs

    ids = import_runs(open_store(), Path(args.input))
    if args.json:
        print_json({"file": args.input, "run_ids": ids})
    else:
        for run_id in ids:
            print(run_id)
    return 0

"""``store move``: the run store to another database and another place of its files."""

from __future__ import annotations

import argparse
import os
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cnnlib.cli.output import print_result
from cnnlib.cli.parser import add_command
from cnnlib.errors import StoreError
from cnnlib.records.files import file_errors
from cnnlib.records.folders import Folders
from cnnlib.units import format_size, plural


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    store = commands.add_parser("store", help="move the run store to another place")
    subcommands = store.add_subparsers(metavar="COMMAND", required=True, dest="which")
    move = add_command(
        subcommands,
        "move",
        move_command,
        "copy all runs, files and datasets to an empty place, and compare the copies",
    )
    move.add_argument(
        "--to",
        metavar="FILE",
        required=True,
        help="a file with the variables of the new place, one NAME=VALUE in a line: CNNLAB_RUNS, "
        "CNNLAB_DATABASE, CNNLAB_FILES; what is missing there is the default of the app",
    )


def move_command(args: argparse.Namespace) -> None:
    """Move the run store of the environment to that of a file."""
    from cnnlib.runs.files.move import move_store

    source = Folders.from_environment()
    moved = move_store(source, _target(Path(args.to), source))
    text = (
        f"Copied {plural(moved.runs, 'run')}: {plural(moved.rows, 'row')} and "
        f"{plural(moved.files, 'file')} ({format_size(moved.file_bytes)}), all compared.\n"
        f"Start the app with the variables of {args.to} from now on. The old run store was not "
        "changed: do not use it any more, and delete it when you no longer need it."
    )
    print_result(asdict(moved), text, as_json=args.json)


def _target(file: Path, source: Folders) -> Folders:
    """Return the place that a file of variables describes."""
    variables = _variables(file)
    for name, value in variables.items():
        if name.startswith("AWS_"):
            os.environ.setdefault(name, value)
    return Folders(
        data=Path(variables.get("CNNLAB_DATA") or source.data).absolute(),
        runs=Path(variables.get("CNNLAB_RUNS") or source.runs).absolute(),
        database=variables.get("CNNLAB_DATABASE", ""),
        files=variables.get("CNNLAB_FILES", ""),
    )


def _variables(file: Path) -> dict[str, str]:
    """Read the lines NAME=VALUE of a file; messages do not repeat a line, as it may be secret."""
    what, advice = f"The file {file} cannot be read", "Name a file with lines like NAME=VALUE."
    with file_errors(StoreError, what, advice, also=(UnicodeDecodeError,)):
        lines = file.read_text("utf-8").splitlines()
    found = {}
    for number, line in enumerate(lines, start=1):
        try:
            words = [word for word in shlex.split(line, comments=True) if word != "export"]
        except ValueError:
            words = ["?", "?"]
        if not words:
            continue
        name, equals, value = words[0].partition("=")
        if len(words) > 1 or not equals:
            raise StoreError(
                f"Line {number} of {file} is not of the form NAME=VALUE. Put a value with spaces "
                "into quotes."
            )
        found[name] = value
    if not found.keys() & {"CNNLAB_RUNS", "CNNLAB_DATABASE", "CNNLAB_FILES"}:
        raise StoreError(
            f"{file} names no place for a run store. Set at least one of CNNLAB_RUNS, "
            "CNNLAB_DATABASE and CNNLAB_FILES in it."
        )
    return found

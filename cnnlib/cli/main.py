"""The entry of the command line: one parser, one error path, the exit codes.

0: finished. 1: standard output was closed by its reader. 2: bad input; standard error has a
sentence, or one for each file that could not be read. 3: a run that diverged, failed or was lost.
130: interrupted by Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module

import cnnlib
from cnnlib.cli.output import print_error
from cnnlib.cli.parser import BAD_INPUT, INTERRUPTED, PROGRAM, Parser
from cnnlib.errors import CnnlibError, TrainError

# Modules of `cnnlib.cli.commands`, in the order of the help.
_GROUPS = (
    *("app", "designs", "train", "watch", "control", "runs", "table", "duel", "verdict"),
    *(
        "experiment",
        "drawings",
        "labelled_drawings",
        "inspect",
        "inspect_jobs",
        "export",
        "datasets",
        "store",
        "cluster",
    ),
)

FAILED = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; ``argv`` excludes the program's name."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # file names may be undecodable
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        args = parser().parse_args(argv)
        return args.command(args) or 0
    except CnnlibError as error:
        print_error(_sentence(error, sys.argv[1:] if argv is None else argv))
        return FAILED if isinstance(error, TrainError) else BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _discard_standard_output()
        return 1


def parser() -> Parser:
    """Build the parser of all commands, without importing torch or numpy."""
    top = Parser(
        prog=PROGRAM,
        description="Design, train, inspect and compare convolutional networks.",
        epilog="The environment variables CNNLAB_DATA and CNNLAB_RUNS set the folders of the "
        "datasets (default: data/ in the clone, or in your folder for application data without "
        "one) and of the runs (default: runs/ there). Every command but app has the option --json.",
    )
    top.add_argument("--version", action="version", version=f"CNN Lab {cnnlib.__version__}")
    top.set_defaults(json=False)
    commands = top.add_subparsers(metavar="COMMAND", required=True, dest="word")
    for group in _GROUPS:
        import_module(f"cnnlib.cli.commands.{group}").add_commands(commands)
    return top


def _sentence(error: CnnlibError, argv: Sequence[str]) -> str:
    """Return the error as a text, with the layer that fails and the repair of its design.

    The name of a field at its start becomes the option of that name, where it was given.
    """
    text = str(error)
    field = re.match(r"[a-z_]+(?==| is | has )", text)
    option = f"--{field[0].replace('_', '-')}" if field else ""
    if field and option in (each.partition("=")[0] for each in argv):
        text = f"{option}{text[field.end() :]}"
    if layer := getattr(error, "layer", None):
        text = f"{text} (Layer: {layer}.)"
    repair = getattr(error, "repair_text", None)
    return f"{text} A change that works: {repair}." if repair else text


def _discard_standard_output() -> None:
    """Ignore output after a broken pipe, including Python's flush at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

"""The entry of the command line: one parser, one error path, the exit codes.

0: finished. 1: the reader of our output went away. 2: bad input, said in one sentence on standard
error. 3: a run that diverged, failed or was lost. 130: interrupted by Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from cnnlib.cli.commands import (
    control,
    datasets,
    designs,
    drawings,
    duel,
    experiment,
    export,
    inspect,
    inspect_jobs,
    labelled_drawings,
    limits,
    predict,
    resume,
    runs,
    table,
    train,
    transfer,
    watch,
)
from cnnlib.cli.output import complain
from cnnlib.cli.parser import PROGRAM, Parser
from cnnlib.cli.run_here import INTERRUPTED
from cnnlib.errors import CnnlibError, TrainError

if TYPE_CHECKING:
    from collections.abc import Sequence

_GROUPS = (
    designs,
    train,
    watch,
    control,
    resume,
    runs,
    table,
    duel,
    experiment,
    transfer,
    predict,
    drawings,
    labelled_drawings,
    inspect,
    inspect_jobs,
    export,
    datasets,
    limits,
)

BAD_INPUT = 2
FAILED = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; ``argv`` is without the program's name."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file may have a name that is no text
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        args = parser().parse_args(argv)
        return args.command(args)
    except CnnlibError as error:
        complain(_sentence(error))
        return FAILED if isinstance(error, TrainError) else BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _leave_standard_output()
        return 1


def parser() -> Parser:
    """The parser of all commands; nothing heavy is imported for it."""
    top = Parser(
        prog=PROGRAM,
        description="Design, train, look inside and compare convolutional networks.",
        epilog="Folders: CNNLAB_DATA (data/) and CNNLAB_RUNS (runs/). Every command takes --json.",
    )
    commands = top.add_subparsers(metavar="COMMAND", required=True, dest="word")
    for group in _GROUPS:
        group.add_commands(commands)
    return top


def _sentence(error: CnnlibError) -> str:
    """What went wrong; of a design that does not fit, also what would make it fit."""
    repair = getattr(error, "repair_text", None)
    return f"{error} It would fit with: {repair}." if repair else str(error)


def _leave_standard_output() -> None:
    """Let Python's last flush go nowhere, now that nobody reads."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

"""Argument parser whose errors are one sentence with a suggestion, and its argument types."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

from cnnlib.errors import CnnlibError

PROGRAM = "cnnlib" if Path(sys.argv[0]).stem == "cnnlib" else "python -m cnnlib"
BAD_INPUT = 2  # exit code
INTERRUPTED = 130
MOST_SHOWN = 1_000_000  # rows of a list
JSON_LINES = "print one JSON object per line"


class UsageError(CnnlibError):
    """The command line is invalid."""


class Parser(argparse.ArgumentParser):
    """An `argparse.ArgumentParser` that raises `UsageError` and takes no abbreviated options."""

    keeps_rest = False  # True: arguments of another program are allowed, and returned as ``rest``

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and report arguments left over as an error of this subcommand."""
        namespace, left_over = super().parse_known_args(args, namespace)
        if self.keeps_rest:
            namespace.rest, left_over = left_over, []
        if left_over:
            options = [name for action in self._actions for name in action.option_strings]
            first = left_over[0]
            close = did_you_mean(first.partition("=")[0], options) if first[:1] == "-" else ""
            self.error(f"{shown(first)} is not an option of this command.{close}")
        return namespace, left_over

    def error(self, message: str) -> NoReturn:
        """Raise argparse's message as a sentence that refers to ``--help``."""
        choice = re.fullmatch(
            r"argument (\S+): invalid choice: '(.*)' \(choose from (.*)\)", message
        )
        if choice:
            known = [name.strip("' ") for name in choice[3].split(",")]
            message = f"{choice[1].lower()} {unknown_name(choice[2], known)}"
        message = re.sub(r"^argument (\S+): ", r"\1: ", message)
        end = "" if message.endswith((".", "?")) else "."
        raise UsageError(
            f"{message[:1].upper()}{message[1:]}{end} '{self.prog} --help' lists the options."
        )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'lenet5'?`` with its leading blank; "" without a close match."""
    close = difflib.get_close_matches(name[:100], list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def one_of(known: Iterable[str]) -> Callable[[str], str]:
    """An argument type: one of the known names; another name is an error that lists them."""
    names = tuple(known)

    def check(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(unknown_name(text, names))
        return text

    return check


def unknown_name(name: str, known: Iterable[str]) -> str:
    """Return the error for an unknown name, with the closest and all known names."""
    names = tuple(known)
    close = did_you_mean(name, names)
    return f"{shown(name)} is not known.{close} Choose one of: {', '.join(names)}."


def add_command(
    commands: Any,
    name: str,
    command: Callable[[argparse.Namespace], int | None],
    help: str,
    *,
    run: bool = False,
    json: str = "print JSON",
    **options: Any,
) -> argparse.ArgumentParser:
    """Add a command with ``--json``, which may stand before or after a subcommand.

    Args:
        command: Takes the parsed arguments; returns the exit code, or None for 0.
        run: The first argument is ``ID``, the id of a run.
        json: Help of ``--json``.
        options: Of the parser, such as ``aliases``.
    """
    parser = commands.add_parser(name, help=help, **options)
    if run:
        parser.add_argument("run_id", metavar="ID", type=id_of_run, help="id of a run")
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=json)
    parser.set_defaults(command=command)
    return parser


def add_number(parser: Any, name: str, default: float, help: str, *, metavar: str = "N") -> None:
    """Add an option for a number of the type of its default, which its help names."""
    kind = whole_number if isinstance(default, int) else number
    parser.add_argument(
        name, metavar=metavar, type=kind, default=default, help=f"{help}; default: {default}"
    )


def id_of_run(text: str) -> str:
    """An argument type: the id of a run."""
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,64}", text):
        raise argparse.ArgumentTypeError(
            f"{shown(text)} is not the id of a run. '{PROGRAM} runs' lists all ids."
        )
    return text


def whole_number(text: str) -> int:
    """An argument type: a whole number."""
    return _number(text, int, "a whole number, such as 5")


def whole_number_from(low: int, high: int) -> Callable[[str], int]:
    """An argument type: a whole number in a range."""

    def check(text: str) -> int:
        value = whole_number(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(
                f"{shown(text)} is not a whole number from {low:,} to {high:,}."
            )
        return value

    return check


def number(text: str) -> float:
    """An argument type: a number."""
    return _number(text, float, "a number, such as 0.1")


def or_none(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """An argument type: the word ``none``, or a value of another type."""
    return lambda text: None if text.lower() == "none" else kind(text)


def shown(text: str, longest: int = 60) -> str:
    """Quote a typed text for an error message, and cut it where it is long."""
    quoted = repr(text)
    return quoted if len(quoted) <= longest else quoted[: longest - 3] + "...'"


def _number(text: str, kind: Callable[[str], Any], expected: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{shown(text)} is not {expected}.") from None

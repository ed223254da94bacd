"""The parser of all commands: a mistake is one sentence, and suggests what may have been meant."""

from __future__ import annotations

import argparse
import difflib
import re
from typing import TYPE_CHECKING, Any, NoReturn

from cnnlib.errors import CnnlibError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PROGRAM = "python -m cnnlib"


class UsageError(CnnlibError):
    """A command line that cannot be understood."""


class Parser(argparse.ArgumentParser):
    """As argparse's own, but a mistake raises `UsageError`, and no option may be abbreviated."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse's own, but what is left over is this command's mistake, not the program's."""
        namespace, left_over = super().parse_known_args(args, namespace)
        if left_over:
            options = [name for action in self._actions for name in action.option_strings]
            first = left_over[0]
            near = did_you_mean(first.partition("=")[0], options) if first[:1] == "-" else ""
            self.error(f"{shown(first)} is not understood here.{near}")
        return namespace, left_over

    def error(self, message: str) -> NoReturn:
        """Raise argparse's message as a sentence that says where to read more."""
        choice = re.fullmatch(
            r"argument (\S+): invalid choice: '(.*)' \(choose from (.*)\)", message
        )
        if choice:
            known = [name.strip("' ") for name in choice[3].split(",")]
            message = f"{choice[1].lower()} {unknown_name(choice[2], known)}"
        message = re.sub(r"^argument (\S+): ", r"\1: ", message)
        end = "" if message.endswith((".", "?")) else "."
        raise UsageError(
            f"{message[:1].upper()}{message[1:]}{end} '{self.prog} --help' lists what there is."
        )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` Did you mean 'lenet5'?``, with its leading blank; "" where nothing is near."""
    near = difflib.get_close_matches(name[:100], list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def one_of(known: Iterable[str]) -> Callable[[str], str]:
    """An argument type: one of the known names; any other name is an error that lists them."""
    names = tuple(known)

    def check(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(unknown_name(text, names))
        return text

    return check


def unknown_name(name: str, known: Iterable[str]) -> str:
    """The sentence for a name that is not known: a near one, and all there are."""
    names = tuple(known)
    near = did_you_mean(name, names)
    return f"{shown(name)} is not known.{near} Choose one of: {', '.join(names)}."


def id_of_run(text: str) -> str:
    """An argument type: what can be the id of a run."""
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,64}", text):
        raise argparse.ArgumentTypeError(
            f"{shown(text)} is not the id of a run. '{PROGRAM} runs' lists them."
        )
    return text


def whole_number(text: str) -> int:
    """An argument type: a whole number."""
    return _number(text, int, "a whole number, such as 5")


def number(text: str) -> float:
    """An argument type: a number."""
    return _number(text, float, "a number, such as 0.1")


def or_none(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """An argument type: the word ``none``, or what ``kind`` takes."""
    return lambda text: None if text.lower() == "none" else kind(text)


def shown(text: str, longest: int = 60) -> str:
    """What a person typed, quoted, and cut where it is long."""
    quoted = repr(text)
    return quoted if len(quoted) <= longest else quoted[: longest - 3] + "...'"


def _number(text: str, kind: Callable[[str], Any], expected: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{shown(text)} is not {expected}.") from None

"""The command line: every command with arguments that nobody should give."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
from typing import TYPE_CHECKING
from unittest.mock import patch

from sample_data import class_folders, encoded, prepared_now, write_zip

from cnnlib.cli import main, run_here
from cnnlib.cli.commands import duel, experiment
from cnnlib.records.folders import Folders
from cnnlib.runs import RunStore
from cnnlib.runs.archive.archive import export_runs
from fuzz import mutate
from fuzz.guard import Guard
from fuzz.readers import a_told_run
from fuzz.web_fuzzers import NAMES

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path
    from random import Random

EXIT_CODES = (0, 2, 3)
_GOOD = {
    "zip": "pictures.zip",
    "input": "runs.zip",
    "output": "out.zip",
    "pictures": "picture.png",
    "spec": "design.json",
    "to": "exported",
    "out": "map.png",
    "dataset": "digits",
    "settings": "lr=0.01",
    "layer": "features.conv1",
    "preset": "lenet5",
}


class Commands:
    """One command line: an exit code and a sentence, never a trace."""

    def __init__(self, folder: Path) -> None:
        folders = Folders.from_environment()
        os.chdir(folder)
        self.folder = folder
        prepared_now("digits", folders)
        write_zip(folder / "pictures.zip", class_folders({"a": 3, "b": 3}))
        (folder / "picture.png").write_bytes(encoded())
        (folder / "design.json").write_text('{"channels": [4]}')
        self.store = RunStore(folders)
        self.runs = [a_told_run(self.store, name) for name in NAMES[:2]]
        export_runs(self.store, self.runs[:1], folder / "runs.zip")
        self.commands = dict(_commands(main.parser()))
        del self.commands["app",]  # it serves until it is interrupted
        self.guard = Guard([folder, folders.runs, folders.data], counts_files=False)

    def draw(self, random: Random) -> list[str]:
        words = random.choice(list(self.commands))
        arguments = [*words]
        for action in self.commands[words]._actions:
            if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
                continue
            wanted = not action.option_strings or action.required or random.random() < 0.25
            if wanted and random.random() < 0.93:
                arguments += self._given(random, action)
        if random.random() < 0.15:
            arguments.insert(random.randrange(len(arguments) + 1), _word(random))
        return arguments

    def check(self, case: list[str]) -> None:
        out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8"), io.StringIO()
        stdin, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(b'{"channels": [4]'))
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _no_waiting():
                code = main.main(case)
        except SystemExit as leave:  # --help
            code = leave.code
        finally:
            sys.stdin = stdin
        said = err.getvalue()
        out.seek(0)
        printed = out.read()
        assert code in EXIT_CODES, f"exit code {code}: {said[:500]}"
        assert code == 0 or said.strip(), "it fails without an error message"
        assert "Traceback" not in said
        if "--json" in case and code == 0:
            for text in printed.splitlines():
                json.loads(text, parse_constant=_no_constant)
        self._mend()

    def _given(self, random: Random, action: argparse.Action) -> list[str]:
        """An option with its values, right or wrong."""
        flag = [random.choice(action.option_strings)] if action.option_strings else []
        if action.nargs == 0:
            return flag
        count = random.choice((1, 1, 2)) if action.nargs in ("+", "*") else 1
        return flag + [self._value(random, action) for _ in range(count)]

    def _value(self, random: Random, action: argparse.Action) -> str:
        if random.random() < 0.4:
            return _word(random)
        if action.dest in ("run_id", "run_ids", "id"):
            return random.choice(self.runs)
        if action.dest in _GOOD:
            return _GOOD[action.dest]
        return random.choice(("1", "2", "0.5", "none", "digits", "sgd", "lr"))

    def _mend(self) -> None:
        """Bring back what a command was rightly told to change."""
        there = {run.id for run in self.store.runs()}
        for run_id in there - set(self.runs):
            run = self.store.run(run_id)
            if run.is_live:
                from cnnlib.records.events import Command

                self.store.submit_command(run_id, Command("stop"))
            self.store.delete(run_id)
        if set(self.runs) - there:
            self.runs = [a_told_run(self.store, name) for name in NAMES[:2]]
            for run_id in there & set(self.runs):
                self.store.delete(run_id)


def _commands(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()):
    """All commands with their parsers, those inside of others too."""
    inner = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if words:
        yield words, parser
    for action in inner:
        for name, each in action.choices.items():
            yield from _commands(each, (*words, name))


def _word(random: Random) -> str:
    """An argument that a shell can pass: bytes without a zero."""
    if random.random() < 0.3:
        return str(random.choice(mutate.NUMBERS))[:400]
    raw = mutate.text(random).encode("utf-8", "surrogatepass").replace(b"\0", b"")
    return os.fsdecode(raw[:100_000])


@contextlib.contextmanager
def _no_waiting() -> Generator[None]:
    """Whoever queues runs does not wait for them."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(patch.object(run_here, "follow_or_train", lambda *_, **__: 0))
        for module in (duel, experiment):
            stack.enter_context(patch.object(module, "_run_to_end", lambda *_: 0))
        yield


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")

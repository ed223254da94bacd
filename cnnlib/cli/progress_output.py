"""Output while a run is followed: JSON lines, or text with a progress line."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from shutil import get_terminal_size
from typing import Any

from cnnlib.cli.output import duration, one_line, plain, print_json
from cnnlib.records.diagnosis import Diagnosis, diagnosis_lines
from cnnlib.units import percent

Update = Mapping[str, Any]


class JsonProgress:
    """Prints one JSON object per line; its field ``event`` is the kind of update.

    Its methods receive the updates of a run that is followed.
    """

    def state(self, update: Update) -> None:
        """State, phase or queue position has changed."""
        names = ("run_id", "state", "phase", "queue_position", "wait_seconds", "waits_for")
        _event("state", {name: update[name] for name in names})

    def progress(self, update: Update) -> None:
        """Steps were trained; ``update`` holds the values of the latest one."""
        _event("step", update)

    def sample(self, run_id: str, sample: Sequence[int]) -> None:
        """A sample of the validation split was measured: step, correct predictions, pictures."""
        names = ("step", "correct", "count")
        _event("sample", {"run_id": run_id} | dict(zip(names, sample, strict=True)))

    def epoch(self, run_id: str, epoch: Update) -> None:
        """An epoch has ended."""
        _event("epoch", {"run_id": run_id} | dict(epoch))

    def intervention(self, run_id: str, change: Update) -> None:
        """A command was carried out: pause, a changed setting, ..."""
        _event("intervention", {"run_id": run_id} | dict(change))

    def diagnosis(self, run_id: str, diagnosis: Diagnosis) -> None:
        """A new problem was diagnosed."""
        _event("trouble", {"run_id": run_id} | diagnosis.to_dict())

    def end(self, facts: Update) -> None:
        """The run has ended."""
        _event("end", facts)


class TextProgress:
    """Prints lines of text; on a terminal the last line shows the progress and is overwritten.

    It has the methods of `JsonProgress`.
    """

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._width = 0  # of the progress line on screen
        self._state = ""
        self._sample = ""

    def state(self, update: Update) -> None:
        is_same = update["state"] == self._state
        self._state = update["state"]
        if is_same and (update["state"] == "running" or not self._is_terminal):
            return  # no line for each percent of a preparation, nor for each evaluation
        place = f": {update['waits_for']}" if update["waits_for"] else ""
        wait = update["wait_seconds"] or 0.0
        place += f", starts in about {duration(wait)}" if wait >= 1 else ""
        is_known = update["state"] == "running" or not update["phase"]
        phase = "" if is_known else f": {update['phase'].removeprefix('paused ')}"
        write = self._overwrite if is_same else self._line
        write(f"{update['run_id']}  {update['state']}{place}{phase}")

    def progress(self, update: Update) -> None:
        if not self._is_terminal:
            return
        left = duration(update["eta_seconds"])
        parts = [
            f"step {update['step']:,} of {update['total_steps']:,}",
            _number("loss", update["loss"]),
            f"{update['images_per_second'] or 0:,.0f} images/s",
            self._sample,
            f"{left} left" if left else "",
        ]
        self._overwrite("  ".join(filter(None, parts)))

    def sample(self, run_id: str, sample: Sequence[int]) -> None:
        _, correct, count = sample
        self._sample = f"val sample {percent(correct / count, 1)} ({correct} of {count})"

    def epoch(self, run_id: str, epoch: Update) -> None:
        parts = [
            f"epoch {epoch['epoch']}",
            _number("train loss", epoch["train_loss"]),
            _share("train accuracy", epoch["train_accuracy"]),
            _number("val loss", epoch["val_loss"]),
            _share("val accuracy", epoch["val_accuracy"]),
            _share("test accuracy", epoch["test_accuracy"]),
            duration(epoch["seconds"]),
        ]
        self._line("  ".join(filter(None, parts)))

    def intervention(self, run_id: str, change: Update) -> None:
        what = f" {change['setting']}={change['value']:g}" if change["setting"] else ""
        self._line(f"{change['order']}{what} after step {change['step']:,}")

    def diagnosis(self, run_id: str, diagnosis: Diagnosis) -> None:
        for line in diagnosis_lines(diagnosis):
            self._line(line)

    def end(self, facts: Update) -> None:
        speed = facts["images_per_second"]
        parts = [
            f"{facts['run_id']}  {facts['state']} after {duration(facts['seconds'])}",
            f"{speed:,.0f} images/s" if speed else "",
            _share("val accuracy", facts["val_accuracy"]),
            _share("test accuracy", facts["test_accuracy"]),
        ]
        self._line("  ".join(filter(None, parts)))
        if facts["reason"]:
            self._line(one_line(facts["reason"]))

    def _line(self, text: str) -> None:
        """Print a line in place of the progress line."""
        start = "\r" if self._width else ""
        print(f"{start}{text.ljust(self._width)}", flush=True)
        self._width = 0

    def _overwrite(self, text: str) -> None:
        """Print a progress line, cut to the width of the terminal; the next line replaces it."""
        text = text[: get_terminal_size().columns - 1]
        start = "\r" if self._width else ""
        print(f"{start}{text.ljust(self._width)}", end="", flush=True)
        self._width = len(text)


ProgressOutput = JsonProgress | TextProgress


def _event(kind: str, facts: Update) -> None:
    print_json({"event": kind} | plain(facts))


def _number(name: str, value: float | None) -> str:
    return "" if value is None else f"{name} {value:.4f}"


def _share(name: str, value: float | None) -> str:
    return "" if value is None else f"{name} {percent(value)}"

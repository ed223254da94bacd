"""Printing: tables, facts and progress as text, or one JSON object per line."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from shutil import get_terminal_size
from typing import Any

from cnnlib.records.diagnosis import Diagnosis, diagnosis_lines
from cnnlib.units import format_time, percent


def print_json(value: Any) -> None:
    """Print one line of JSON and flush; NaN and infinity become null."""
    print(json.dumps(plain(value), allow_nan=False), flush=True)


def print_result(facts: Any, text: str, *, as_json: bool) -> None:
    """Print facts as JSON, or a text about them."""
    if as_json:
        print_json(facts)
    else:
        print(text)


def plain(value: Any) -> Any:
    """Convert records, tuples and paths to plain JSON values."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(value.to_dict() if hasattr(value, "to_dict") else asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, str | int | float) else str(value)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print aligned columns, numbers to the right; None is an empty cell."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    right = [any(isinstance(row[i], int | float) for row in rows) for i in range(len(headings))]
    for line in [headings, ["-" * width for width in widths], *cells]:
        padded = (
            text.rjust(width) if to_right else text.ljust(width)
            for text, width, to_right in zip(line, widths, right, strict=True)
        )
        print("  ".join(padded).rstrip())


def print_rows(
    facts: Any, headings: Sequence[str], rows: Sequence[Sequence[Any]], *, as_json: bool
) -> None:
    """Print facts as JSON, or rows about them as a table."""
    if as_json:
        print_json(facts)
    else:
        print_table(headings, rows)


def print_facts(facts: Mapping[str, Any]) -> None:
    """One fact a line, names aligned; facts that are None or "" are left out."""
    known = {name: value for name, value in facts.items() if value not in (None, "")}
    width = max(map(len, known), default=0)
    for name, value in known.items():
        print(f"{name.ljust(width)}  {_cell(value)}")


def duration(seconds: float | None) -> str:
    """``0 s``, ``8.2 s``, ``3 min 5 s``; "" where it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    return format_time(seconds) if seconds > 0 else "0 s"


def format_date(seconds: float | None) -> str:
    """Format seconds since 1970 as local date and time; "" for None."""
    return "" if seconds is None else datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def print_error(sentence: object) -> None:
    """Print why a command, or a part of it, failed: one line to standard error."""
    print_note(f"error: {sentence}")


def print_note(sentence: object) -> None:
    """Print one line to standard error, where it does not mix with results."""
    print(one_line(str(sentence)), file=sys.stderr, flush=True)


def one_line(text: str, longest: int = 1000) -> str:
    """Remove line breaks and control characters, and cut a long text in its middle."""
    text = " ".join(text.split())
    text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    half = (longest - 5) // 2
    return text if len(text) <= longest else f"{text[:half]} ... {text[-half:]}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else one_line(str(value))


Update = Mapping[str, Any]


class JsonProgress:
    """Prints one JSON object per line; its field ``event`` is the kind of update.

    Its methods receive the updates of a run that is followed.
    """

    def begin(self, update: Update) -> None:
        """The run is followed from now on; each of its objects has its id."""

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

    def end(self, facts: Update, advice: str) -> None:
        """The run has ended; the advice is for people."""
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

    def begin(self, update: Update) -> None:
        self._line(f"{update['run_id']}  {one_line(update['title'])}")

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
            f"{update['images_per_second'] or 0:,.0f} pictures/s",
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
        what = _INTERVENTIONS.get(change["order"], "Changed")
        if change["order"] == "set":
            what = f"{change['setting']} set to {change['value']:g}"
        self._line(f"{what} after step {change['step']:,}.")

    def diagnosis(self, run_id: str, diagnosis: Diagnosis) -> None:
        for line in diagnosis_lines(diagnosis):
            self._line(line)

    def end(self, facts: Update, advice: str) -> None:
        speed = facts["images_per_second"]
        accuracy, step = _share("val accuracy", facts["val_accuracy"]), facts["val_step"]
        measured_at = f"epoch {facts['weights_epoch']}" if step is None else f"step {step:,}"
        parts = [
            f"{facts['run_id']}  {facts['state']} after {duration(facts['seconds'])}",
            f"{speed:,.0f} pictures/s" if speed else "",
            f"{accuracy} ({measured_at})" if accuracy else "",
            _share("test accuracy", facts["test_accuracy"]),
        ]
        self._line("  ".join(filter(None, parts)))
        if facts["reason"]:
            self._line(one_line(facts["reason"]))
        if advice:
            self._line(advice)

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


_INTERVENTIONS = {
    "pause": "Paused",
    "resume": "Resumed",
    "step": "One step",
    "stop": "Stopped",
    "prune": "Pruned",
}
ProgressOutput = JsonProgress | TextProgress


def _event(kind: str, facts: Update) -> None:
    print_json({"event": kind} | plain(facts))


def _number(name: str, value: float | None) -> str:
    return "" if value is None else f"{name} {value:.4f}"


def _share(name: str, value: float | None) -> str:
    return "" if value is None else f"{name} {percent(value)}"

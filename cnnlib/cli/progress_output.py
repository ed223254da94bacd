"""How a run under way is told: as lines of JSON, or as lines and a progress line for people."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from shutil import get_terminal_size
from typing import Any, Protocol

from cnnlib.cli.output import duration, one_line, plain, print_json
from cnnlib.records.diagnosis import Diagnosis, diagnosis_lines
from cnnlib.units import percent

News = Mapping[str, Any]


class ProgressOutput(Protocol):
    """What is done with each piece of news about a run."""

    def state(self, news: News) -> None:
        """Its state or phase, or its place in the queue, is another one."""

    def progress(self, news: News) -> None:
        """It made steps; ``news`` holds the latest as plain numbers."""

    def epoch(self, run_id: str, epoch: News) -> None:
        """It finished an epoch."""

    def intervention(self, run_id: str, change: News) -> None:
        """Somebody changed something."""

    def trouble(self, run_id: str, trouble: Diagnosis) -> None:
        """Something is wrong with it, which was not told before."""

    def end(self, facts: News) -> None:
        """It ended."""


class JsonProgress:
    """One JSON object per line; ``event`` says what it is about."""

    def state(self, news: News) -> None:
        names = ("run_id", "state", "phase", "queue_position", "wait_seconds")
        _event("state", {name: news[name] for name in names})

    def progress(self, news: News) -> None:
        _event("step", news)

    def epoch(self, run_id: str, epoch: News) -> None:
        _event("epoch", {"run_id": run_id} | dict(epoch))

    def intervention(self, run_id: str, change: News) -> None:
        _event("intervention", {"run_id": run_id} | dict(change))

    def trouble(self, run_id: str, trouble: Diagnosis) -> None:
        _event("trouble", {"run_id": run_id} | trouble.to_dict())

    def end(self, facts: News) -> None:
        _event("end", facts)


class TextProgress:
    """Lines for people; on a terminal, the last line shows the progress and is overwritten."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._width = 0  # of the progress line that stands there now
        self._state = ""

    def state(self, news: News) -> None:
        is_same = news["state"] == self._state
        self._state = news["state"]
        if is_same and (news["state"] == "running" or not self._is_terminal):
            return  # how far a preparation is, or what is measured between two epochs
        waits = (news["queue_position"] or 1) - 1
        place = f" behind {waits} other{'' if waits == 1 else 's'}" if waits else ""
        wait = news["wait_seconds"] or 0.0
        place += f", begins in about {duration(wait)}" if wait >= 1 else ""
        phase = f": {news['phase']}" if news["phase"] and news["state"] != "running" else ""
        tell = self._overwrite if is_same else self._line
        tell(f"{news['run_id']}  {news['state']}{place}{phase}")

    def progress(self, news: News) -> None:
        if not self._is_terminal:
            return
        left = duration(news["eta_seconds"])
        parts = [
            f"step {news['step']:,} of {news['total_steps']:,}",
            _number("loss", news["loss"]),
            f"{news['images_per_second'] or 0:,.0f} images/s",
            f"{left} left" if left else "",
        ]
        self._overwrite("  ".join(filter(None, parts)))

    def epoch(self, run_id: str, epoch: News) -> None:
        parts = [
            f"epoch {epoch['epoch']}",
            _number("train loss", epoch["train_loss"]),
            _share("train", epoch["train_accuracy"]),
            _number("val loss", epoch["val_loss"]),
            _share("val", epoch["val_accuracy"]),
            _share("test", epoch["test_accuracy"]),
            duration(epoch["seconds"]),
        ]
        self._line("  ".join(filter(None, parts)))

    def intervention(self, run_id: str, change: News) -> None:
        what = f" {change['setting']}={change['value']:g}" if change["setting"] else ""
        self._line(f"{change['order']}{what} after step {change['step']:,}")

    def trouble(self, run_id: str, trouble: Diagnosis) -> None:
        for line in diagnosis_lines(trouble):
            self._line(line)

    def end(self, facts: News) -> None:
        speed = facts["images_per_second"]
        parts = [
            f"{facts['run_id']}  {facts['state']} after {duration(facts['seconds'])}",
            f"{speed:,.0f} images/s" if speed else "",
            _share("val", facts["val_accuracy"]),
            _share("test", facts["test_accuracy"]),
        ]
        self._line("  ".join(filter(None, parts)))
        if facts["reason"]:
            self._line(one_line(facts["reason"]))

    def _line(self, text: str) -> None:
        """A line that stays, where the progress line stood."""
        start = "\r" if self._width else ""
        print(f"{start}{text.ljust(self._width)}", flush=True)
        self._width = 0

    def _overwrite(self, text: str) -> None:
        """A line that the next one takes the place of, cut so that it is one line."""
        text = text[: get_terminal_size().columns - 1]
        start = "\r" if self._width else ""
        print(f"{start}{text.ljust(self._width)}", end="", flush=True)
        self._width = len(text)


def _event(kind: str, facts: News) -> None:
    print_json({"event": kind} | plain(facts))


def _number(name: str, value: float | None) -> str:
    return "" if value is None else f"{name} {value:.4f}"


def _share(name: str, value: float | None) -> str:
    return "" if value is None else f"{name} {percent(value)}"

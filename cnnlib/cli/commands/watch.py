"""``watch``: follow a run until it ends, whoever trains it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from cnnlib.cli.parser import id_of_run
from cnnlib.cli.progress_output import JsonProgress, News, ProgressOutput, TextProgress
from cnnlib.cli.run_facts import all_run_facts
from cnnlib.cli.store import existing_store
from cnnlib.errors import StoreError
from cnnlib.records.run import ENDED_STATES, Run

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator, Sequence

    from cnnlib.records.diagnosis import Diagnosis
    from cnnlib.runs import RunStore

POLL_SECONDS = 0.2
PATIENCE_SECONDS = 10.0  # with a store that cannot be read
EXIT_CODES = {"interrupted": 130, "diverged": 3, "failed": 3, "lost": 3}  # all others: 0


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    watch = commands.add_parser("watch", help="follow a run until it ends")
    watch.add_argument("run_id", metavar="ID", type=id_of_run)
    watch.add_argument("--json", action="store_true", help="print one JSON object per line")
    watch.set_defaults(command=watch_run)


def watch_run(args: argparse.Namespace) -> int:
    """Tell what a run does until it ends; Ctrl-C ends the watching, not the run."""
    store = existing_store(args.run_id)
    for _ in follow_run(store, args.run_id, progress_output(args.json)):
        time.sleep(POLL_SECONDS)
    return exit_code(store.run(args.run_id))


def progress_output(as_json: bool) -> ProgressOutput:
    """Who tells what a run does."""
    return JsonProgress() if as_json else TextProgress()


def exit_code(run: Run) -> int:
    """What the program says of a run that has ended."""
    return EXIT_CODES.get(run.state, 0)


def follow_run(store: RunStore, run_id: str, progress_output: ProgressOutput) -> Generator[News]:
    """Tell what is new, again and again until the run has ended; the caller waits in between.

    Yields:
        What ``metrics_since`` said, while the run has not ended; the same again for a while where
        the store cannot be read.

    Raises:
        StoreError: There is no such run (any more), or the store cannot be read at all.
    """
    from cnnlib.diagnosis.report import diagnoses_of
    from cnnlib.runs.polling import metrics_since

    seen, news, read_at = _Seen(), None, time.monotonic()
    while True:
        try:
            news = metrics_since(store, run_id, seen.step, seen.epoch)
            read_at = time.monotonic()
        except StoreError:
            if news is None or time.monotonic() - read_at > PATIENCE_SECONDS:
                raise
            yield news
            continue
        if news["attempt"] != seen.attempt:
            seen = _Seen(news["attempt"])
            continue
        seen.tell(news, progress_output)
        if news["more"]:
            continue
        if news["epochs"] or news["state"] in ENDED_STATES:
            seen.tell_troubles(diagnoses_of(store, store.run(run_id)), run_id, progress_output)
        if news["state"] in ENDED_STATES:
            progress_output.end(all_run_facts(store, store.run(run_id)))
            return
        yield news


class _Seen:
    """What was told already."""

    def __init__(self, attempt: int = 1) -> None:
        self.attempt = attempt
        self.step = 0
        self.epoch = 0
        self._interventions = 0
        self._state: tuple[Any, ...] = ()
        self._troubles: set[str] = set()

    def tell_troubles(
        self, found: Sequence[Diagnosis], run_id: str, progress_output: ProgressOutput
    ) -> None:
        """Tell what is wrong and was not told yet."""
        for trouble in found:
            if trouble.title not in self._troubles:
                self._troubles.add(trouble.title)
                progress_output.trouble(run_id, trouble)

    def tell(self, news: News, progress_output: ProgressOutput) -> None:
        """Tell what is not seen yet, and take it as seen."""
        for epoch in news["epochs"]:
            progress_output.epoch(news["run_id"], epoch)
            self.epoch = epoch["epoch"]
        for change in news["interventions"][self._interventions :]:
            progress_output.intervention(news["run_id"], change)
        self._interventions = len(news["interventions"])
        state = (news["state"], news["phase"], news["queue_position"])
        if state != self._state and news["state"] not in ENDED_STATES:
            progress_output.state(news)
            self._state = state
        if news["steps"]["step"]:
            latest = {name: column[-1] for name, column in news["steps"].items()}
            whole = {name: news[name] for name in ("run_id", "total_steps", "eta_seconds")}
            progress_output.progress(whole | latest)
            self.step = latest["step"]

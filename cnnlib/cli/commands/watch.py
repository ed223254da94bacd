"""``watch``: follow a run until it ends, wherever it trains."""

from __future__ import annotations

import argparse
import time
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from cnnlib.cli.diverged import fork_advice
from cnnlib.cli.output import JsonProgress, ProgressOutput, TextProgress, Update
from cnnlib.cli.parser import JSON_LINES, PROGRAM, add_command
from cnnlib.cli.store import all_run_facts, existing_store, print_unless_served
from cnnlib.errors import StoreError
from cnnlib.records.run import ENDED_STATES, Run

if TYPE_CHECKING:
    from cnnlib.records.diagnosis import Diagnosis
    from cnnlib.runs import RunStore

POLL_SECONDS = 0.2
PATIENCE_SECONDS = 10.0  # with a store that cannot be read
EXIT_CODES = {"interrupted": 130, "diverged": 3, "failed": 3, "lost": 3}  # all others: 0


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    add_command(
        commands, "watch", watch_run, "follow a run until it ends", run=True, json=JSON_LINES
    )


def watch_run(args: argparse.Namespace) -> int:
    """Print the progress of a run until it ends; Ctrl-C does not stop the run."""
    store = existing_store(args.run_id)
    is_noted = False
    for update in follow_run(store, args.run_id, progress_output(args.json)):
        if update["state"] == "queued" and not is_noted:
            is_noted = True
            print_unless_served(store, "this run", f"{PROGRAM} resume {args.run_id}")
        time.sleep(POLL_SECONDS)
    return exit_code(store.run(args.run_id))


def progress_output(as_json: bool) -> ProgressOutput:
    """Choose JSON lines or text."""
    return JsonProgress() if as_json else TextProgress()


def exit_code(run: Run) -> int:
    """Return the exit code for a run that has ended."""
    return EXIT_CODES.get(run.state, 0)


def follow_run(
    store: RunStore, run_id: str, progress_output: ProgressOutput, *, is_waiting: bool = True
) -> Generator[Update]:
    """Print what is new about a run until it has ended; the caller waits between two polls.

    Args:
        is_waiting: Whether the run waits while it is queued: the caller does not start it at once.

    Yields:
        The result of ``metrics_since`` while the run has not ended; where the store cannot be
        read, the last one again, for up to ``PATIENCE_SECONDS``.

    Raises:
        StoreError: There is no such run, or it was deleted, or the store cannot be read at all.
    """
    from cnnlib.diagnosis.report import diagnoses_of
    from cnnlib.runs.polling import metrics_since

    printed, update, read_at = _Printed(), None, time.monotonic()
    is_begun = False
    while True:
        try:
            update = metrics_since(store, run_id, printed.step, printed.epoch, printed.sample)
            read_at = time.monotonic()
        except StoreError:
            if update is None or time.monotonic() - read_at > PATIENCE_SECONDS:
                raise
            yield update
            continue
        if not is_begun:
            progress_output.begin(update)
            is_begun = True
        if update["attempt"] != printed.attempt:
            printed = _Printed(update["attempt"])
            continue
        if update["state"] == "queued" and not is_waiting:
            yield update
            continue
        printed.print_new(update, progress_output)
        if update["more"]:
            continue
        if update["epochs"] or update["state"] in ENDED_STATES:
            printed.print_diagnoses(diagnoses_of(store, store.run(run_id)), run_id, progress_output)
        if update["state"] in ENDED_STATES:
            run = store.run(run_id)
            progress_output.end(all_run_facts(store, run), fork_advice(store, run))
            return
        yield update


class _Printed:
    """Remembers what was printed already."""

    def __init__(self, attempt: int = 1) -> None:
        self.attempt = attempt
        self.step = 0
        self.epoch = 0
        self.sample = 0  # step of the last one
        self._interventions = 0
        self._state: tuple[Any, ...] = ()
        self._diagnoses: set[str] = set()

    def print_diagnoses(
        self, found: Sequence[Diagnosis], run_id: str, progress_output: ProgressOutput
    ) -> None:
        """Print new diagnoses."""
        for diagnosis in found:
            if diagnosis.title not in self._diagnoses:
                self._diagnoses.add(diagnosis.title)
                progress_output.diagnosis(run_id, diagnosis)

    def print_new(self, update: Update, progress_output: ProgressOutput) -> None:
        """Print what is new, and remember it."""
        state = (update["state"], update["phase"], update["queue_position"])
        if state != self._state and update["state"] not in ENDED_STATES:
            progress_output.state(update)
            self._state = state
        for sample in update["samples"]:
            progress_output.sample(update["run_id"], sample)
            self.sample = sample[0]
        for epoch in update["epochs"]:
            progress_output.epoch(update["run_id"], epoch)
            self.epoch = epoch["epoch"]
        for change in update["interventions"][self._interventions :]:
            progress_output.intervention(update["run_id"], change)
        self._interventions = len(update["interventions"])
        if update["steps"]["step"]:
            latest = {name: column[-1] for name, column in update["steps"].items()}
            whole = {name: update[name] for name in ("run_id", "total_steps", "eta_seconds")}
            progress_output.progress(whole | latest)
            self.step = latest["step"]

"""Seeing a run through: follow whoever trains it, or become its worker if nobody does."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from cnnlib.cli.commands.watch import POLL_SECONDS, exit_code, follow_run
from cnnlib.cli.output import complain
from cnnlib.records.events import Command

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from cnnlib.cli.progress_output import News, ProgressOutput
    from cnnlib.records.run import Run
    from cnnlib.runs import RunStore
    from cnnlib.train.control import Control

PATIENCE_SECONDS = 0.5  # how long a run waits for a worker, for each place in the line
INTERRUPTED = 130
T = TypeVar("T")


def follow_or_train(
    store: RunStore, run_id: str, teller: ProgressOutput, *, skip_line: bool = False
) -> int:
    """Tell what a run does until it ends, and train it in this process if nobody else does.

    Ctrl-C or SIGTERM ends the run with a checkpoint; where another process trains it, it is asked
    to stop. A second one ends this process at once.

    Args:
        skip_line: Train it here and now, whatever else trains on this machine.

    Returns:
        The program's exit code.
    """
    from cnnlib.train.control import Control

    control = Control()
    with interrupted_by_signals(control):
        tale = follow_run(store, run_id, teller)
        line = _QueueTurn(store, skip_line)
        is_told_to_stop = False
        for news in tale:
            if control.interrupted and not is_told_to_stop:
                is_told_to_stop = bool(store.submit_command(run_id, Command("stop")))
            elif line.is_our_turn(news):
                _train_here(store, run_id, tale, control, None if skip_line else 1)
            time.sleep(POLL_SECONDS)
    return INTERRUPTED if control.interrupted else exit_code(store.run(run_id))


def carried_out(work: Generator[Any, None, T]) -> T:
    """Do a job here and now; returns its result, its progress is not told."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


@contextmanager
def interrupted_by_signals(control: Control) -> Generator[None]:
    """Ctrl-C and SIGTERM interrupt the run under way; the second Ctrl-C is Python's own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        control.interrupt()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {each: signal.signal(each, interrupt) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


class _QueueTurn:
    """Whether a run that waits is to be trained here.

    It is when nobody is at work, and no worker took it for a while: the longer, the more runs are
    before it, so that those whose turn it is come first.
    """

    def __init__(self, store: RunStore, skip: bool) -> None:
        self._store = store
        self._skip = skip
        self._idle_since: float | None = None
        self._told_why = False

    def is_our_turn(self, news: News) -> bool:
        """Ask at every poll; ``news`` is what the store just said about the run."""
        from cnnlib.runs.queue import BUSY_STATES

        if news["state"] != "queued":
            return False
        if self._skip:
            return True
        busy = self._store.runs(limit=1, states=BUSY_STATES)
        if busy:
            self._idle_since = None
            self._tell_why(busy[0])
            return False
        now = time.monotonic()
        self._idle_since = self._idle_since or now
        places = min(10, news["queue_position"] or 1)
        return now - self._idle_since >= PATIENCE_SECONDS * places

    def _tell_why(self, busy: Run) -> None:
        """Say once what the run waits for."""
        if not self._told_why:
            complain(
                f"Run {busy.id} is {busy.state}; this one waits for its turn (--now does not)."
            )
        self._told_why = True


def _train_here(
    store: RunStore, run_id: str, tale: Iterator[News], control: Control, at_once: int | None
) -> None:
    """Be a worker for one run, unless another one was quicker.

    The network trains in this thread, as in any worker; another one tells.
    """
    from cnnlib.runs.workers.heartbeat import registered_worker
    from cnnlib.train.worker.execute_run import execute_run

    with registered_worker(store, "runs") as worker_id:
        run: Run | None = store.claim(worker_id, run_id, at_once)
        if run is None:
            return
        failed = threading.Event()
        with ThreadPoolExecutor(1, "teller") as threads:
            telling = threads.submit(_tell, tale, control, failed)
            try:
                execute_run(run, store, worker_id, control)
            except BaseException:
                failed.set()
                raise
            telling.result()


def _tell(tale: Iterator[News], control: Control, failed: threading.Event) -> None:
    """Tell to the end; where nobody can be told any more, the run ends with a checkpoint."""
    try:
        for _ in tale:
            if failed.wait(POLL_SECONDS):
                return
    except BrokenPipeError:
        control.interrupt()
        raise

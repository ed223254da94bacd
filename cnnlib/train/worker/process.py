"""The worker process: waits with everything imported, takes the next run, trains it, waits again.

``python -m cnnlib.train.worker`` is started by `cnnlib.runs.workers.pool.WorkerPool` with a pipe at
its standard input. The byte ``q`` in it, SIGTERM or SIGINT mean: write a checkpoint, end the run as
"interrupted", leave. The end of the pipe means that the app is gone: finish the run that is under
way, then leave; an idle worker leaves at once.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from cnnlib.errors import CnnlibError, StoreError
from cnnlib.experiments.study import advance_studies
from cnnlib.records.events import EpochEnd, Event
from cnnlib.runs import RunStore
from cnnlib.runs.event_writer import RunReassigned
from cnnlib.runs.workers.heartbeat import registered_worker
from cnnlib.runs.workers.pool import QUIT
from cnnlib.train.control import Control
from cnnlib.train.worker.execute_run import execute_run
from cnnlib.train.worker.job_kinds import execute_job

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cnnlib.records.job import Job
    from cnnlib.records.run import Run

POLL_SECONDS = 0.05  # an idle worker looks for work so often
RETRY_SECONDS = 1.0  # after the store could not be used
LINGER_SECONDS = 60.0  # a worker for jobs leaves after so long without one
_IMPORT_NICENESS = 5
_SET_ASIDE = (
    "Set aside, because it was paused for more than {minutes:g} minutes and others waited. "
    "Continue it, and it goes on from the same step when its turn comes."
)
T = TypeVar("T")


class Worker:
    """One worker process.

    Args:
        at_once: Runs that may be at work on this machine; None is no limit.
        patience_seconds: How long a paused run keeps its place while others wait; 0 is for ever.
    """

    def __init__(
        self,
        store: RunStore,
        worker_id: str,
        at_once: int | None = None,
        patience_seconds: float = 0.0,
    ) -> None:
        self._store = store
        self._id = worker_id
        self._at_once = at_once
        self._patience_seconds = patience_seconds
        self._control: Control | None = None
        self._interrupted = False
        self._app_is_gone = False

    def interrupt(self, *_signal: object) -> None:
        """End the run with a checkpoint and leave; takes no lock, as a signal handler must not."""
        self._interrupted = True
        if (control := self._control) is not None:
            control.interrupt()

    def follow(self, pipe: int) -> None:
        """Read what the app says until its end of the pipe is closed (runs in a thread)."""
        while said := os.read(pipe, 1):
            if said == QUIT:
                self.interrupt()
        self._app_is_gone = True

    def serve_runs(self) -> None:
        """Train one run after the other until it is time to leave."""
        with self._store.watch_queue("runs") as some_wait:
            while not self._is_to_leave():
                if (run := self._try(self._next_run, some_wait)) is not None:
                    self._train(run)

    def serve_jobs(self) -> None:
        """Do one job after the other until it is time to leave, or there was none for a while."""
        idle_since = time.monotonic()
        with self._store.watch_queue("jobs") as some_wait:
            while not self._is_to_leave() and time.monotonic() - idle_since < LINGER_SECONDS:
                if (job := self._try(self._next_job, some_wait)) is not None:
                    execute_job(job, self._store, self._id, lambda: self._interrupted)
                    idle_since = time.monotonic()

    def _is_to_leave(self) -> bool:
        return self._interrupted or self._app_is_gone

    def _try(self, take: Callable[[], T | None], some_wait: Callable[[], bool]) -> T | None:
        """Look for work; where there is none, or the store cannot be used, wait a little."""
        try:
            taken = take() if some_wait() else None
        except StoreError as error:
            _say(error)
            time.sleep(RETRY_SECONDS)
            return None
        if taken is None:
            time.sleep(POLL_SECONDS)
        return taken

    def _next_run(self) -> Run | None:
        if self._store.can_claim(self._id, self._at_once):
            return self._store.claim(self._id, at_once=self._at_once)
        return None

    def _next_job(self) -> Job | None:
        return self._store.claim_job(self._id)

    def _train(self, run: Run) -> None:
        self._control = Control(self._give_way)
        if self._interrupted:  # between the claim and the line above
            self._control.interrupt()
        try:
            execute_run(run, self._store, self._id, self._control, self._after_epoch)
        except RunReassigned as error:
            _say(error)
        except StoreError as error:
            _say(error)
            self._interrupted = True  # its end is not written: others find it lost once we are gone
        finally:
            self._control = None
        self._advance_plans()

    def _give_way(self, paused_seconds: float) -> str:
        """Why a paused run is to be set aside; "" while it may keep its place."""
        if not self._patience_seconds or paused_seconds < self._patience_seconds:
            return ""
        try:
            others_wait = self._store.has_queued_run()
            if not others_wait or self._store.can_claim(self._id, self._at_once):
                return ""
        except StoreError as error:
            _say(error)
            return ""
        return _SET_ASIDE.format(minutes=self._patience_seconds / 60)

    def _after_epoch(self, event: Event) -> None:
        if isinstance(event, EpochEnd):
            self._advance_plans()

    def _advance_plans(self) -> None:
        """Let duels and experiments ask for their next runs, or end runs that cannot win."""
        try:
            advance_studies(self._store)
        except CnnlibError as error:  # theirs, not the run's: whoever looks next tries again
            _say(error)


def main(arguments: Sequence[str] | None = None) -> None:
    """Be a worker until the app says otherwise."""
    parser = argparse.ArgumentParser(prog="python -m cnnlib.train.worker", description=__doc__)
    parser.add_argument("--does", choices=("runs", "jobs"), default="runs")
    parser.add_argument("--at-once", type=int, help="runs at work on this machine at most")
    parser.add_argument("--follow", action="store_true", help="leave when standard input ends")
    options = parser.parse_args(arguments)
    store = RunStore()
    with registered_worker(store, options.does) as worker_id:
        patience_seconds = 60 * store.settings.machine.pause_minutes
        worker = Worker(store, worker_id, options.at_once, patience_seconds)
        signal.signal(signal.SIGTERM, worker.interrupt)
        signal.signal(signal.SIGINT, worker.interrupt)
        if options.follow:
            pipe = sys.stdin.fileno()
            threading.Thread(target=worker.follow, args=(pipe,), daemon=True).start()
        if options.does == "jobs":
            worker.serve_jobs()
        else:
            if not store.can_claim(worker_id, options.at_once):  # nobody waits
                threading.Thread(target=import_gently, daemon=True).start()
            worker.serve_runs()


def import_gently() -> None:
    """Import what training needs before there is a run, out of the way of the page.

    On Linux a thread has a niceness of its own, so the thread that trains stays as it is; a run
    that comes meanwhile waits for the rest of the import. Elsewhere the import runs as it is.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _IMPORT_NICENESS)
    import numpy  # noqa: F401  (before torch, and on one thread: torch expects it whole)

    import cnnlib.data.prepared
    import cnnlib.train.loop  # noqa: F401

    gc.freeze()  # what was imported stays, and need not be looked at by collections while it trains


def _say(error: Exception) -> None:
    print(error, file=sys.stderr, flush=True)

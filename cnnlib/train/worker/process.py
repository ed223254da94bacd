"""The worker process: claims the next run, trains it and waits for another one.

``python -m cnnlib.train.worker`` is started by `cnnlib.runs.places.local_place.LocalPlace` with a
pipe at its standard input. On the byte ``q`` in the pipe, SIGTERM or SIGINT the worker writes a
checkpoint, ends the run as "interrupted" and exits. The end of the pipe means that the app has
exited: the worker finishes its current run, then exits; an idle worker exits at once.
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from cnnlib.errors import CnnlibError, StoreError
from cnnlib.experiments.study import advance_after_end, advance_after_epoch
from cnnlib.records.events import EpochEnd, Event
from cnnlib.records.job import Job
from cnnlib.records.run import Run
from cnnlib.runs import RunStore
from cnnlib.runs.capacity import Capacity, machine_capacity
from cnnlib.runs.database import WORKER_CONNECTIONS
from cnnlib.runs.event_writer import RunReassigned
from cnnlib.runs.workers.processes import QUIT
from cnnlib.train.control import Control
from cnnlib.train.execution.free_memory import FreeMemory
from cnnlib.train.worker.execute_run import execute_run
from cnnlib.train.worker.job_kinds import execute_job
from cnnlib.train.worker.retry import until_reachable
from cnnlib.train.worker.sketch_turn import SketchTurn

POLL_SECONDS = 0.05  # interval between the polls of an idle worker
RETRY_SECONDS = 1.0  # pause after an error of the store
IDLE_EXIT_SECONDS = 60.0  # a spare worker, or one for jobs, exits after this time without work
_NICENESS = 5  # pages, and other programs of the machine's user, go first
_IMPORT_NICENESS = 5
_PAUSE_LIMIT_REASON = (
    "Interrupted, because it was paused for more than {minutes:g} min while other runs waited. "
    "Resume it to continue from the same step."
)
T = TypeVar("T")


class Worker:
    """One worker process.

    Args:
        capacity: Of this machine; None ignores what else trains on it.
        pause_limit_seconds: How long a run may stay paused while others wait; 0 is no limit.

    Attributes:
        left: Id of the run that was interrupted so that this process could exit; None without one.
    """

    def __init__(
        self,
        store: RunStore,
        worker_id: str,
        capacity: Capacity | None = None,
        pause_limit_seconds: float = 0.0,
    ) -> None:
        self._store = store
        self._id = worker_id
        self._capacity = capacity
        self._memory = FreeMemory(store)
        self._pause_limit_seconds = pause_limit_seconds
        self._control: Control | None = None
        self._interrupted = False
        self.left: str | None = None
        self._app_has_exited = False
        self._may_have_claimed = False  # the store failed, perhaps after a claim

    def interrupt(self, *_signal: object) -> None:
        """End the run with a checkpoint and exit; takes no lock, for use in a signal handler."""
        self._interrupted = True
        if (control := self._control) is not None:
            control.interrupt()

    def follow_pipe(self, pipe: int) -> None:
        """Read bytes from the app until it closes the pipe (runs in a thread)."""
        while byte := os.read(pipe, 1):
            if byte == QUIT:
                self.interrupt()
        self._app_has_exited = True

    def serve_runs(self, idle_seconds: float = math.inf) -> None:
        """Train one run after another until the worker has to exit or was idle for a while."""
        idle_since = time.monotonic()
        with self._store.watch_queue() as has_queued:
            while not self._has_to_exit() and time.monotonic() - idle_since < idle_seconds:
                claimed = self._store.claimed
                if (run := self._poll(self._next_run, has_queued, claimed)) is not None:
                    self._train(run)
                    idle_since = time.monotonic()

    def serve_jobs(self) -> None:
        """Execute one job after another until the worker has to exit or was idle for a minute."""
        idle_since = time.monotonic()
        with self._store.jobs.watch() as has_queued:
            while not self._has_to_exit() and time.monotonic() - idle_since < IDLE_EXIT_SECONDS:
                claimed = self._store.jobs.claimed
                if (job := self._poll(self._next_job, has_queued, claimed)) is not None:
                    execute_job(job, self._store, self._id, lambda: self._interrupted)
                    idle_since = time.monotonic()

    def _has_to_exit(self) -> bool:
        return self._interrupted or self._app_has_exited

    def _poll(
        self,
        claim: Callable[[], T | None],
        has_queued: Callable[[], bool],
        find_claimed: Callable[[str], T | None],
    ) -> T | None:
        """Claim a run or job if one is queued; else, or after an error of the store, sleep.

        After an error it first looks for one that it has claimed without knowing.
        """
        try:
            claimed = find_claimed(self._id) if self._may_have_claimed else None
            self._may_have_claimed = False
            if claimed is None and has_queued():
                claimed = claim()
        except StoreError as error:
            self._may_have_claimed = True
            _print_error(error)
            time.sleep(RETRY_SECONDS)
            return None
        if claimed is None:
            time.sleep(POLL_SECONDS)
        return claimed

    def _next_run(self) -> Run | None:
        """Claim the next run if the machine has cores and memory for it."""
        run_id = self._store.next_with_room(self._id, self._capacity)
        if run_id is None:
            return None
        if reason := self._memory.lack(run_id, self._id):
            self._store.explain_wait(run_id, reason)
            return None
        return self._store.claim(self._id, run_id, self._capacity)

    def _next_job(self) -> Job | None:
        return self._store.jobs.claim(self._id)

    def _train(self, run: Run) -> None:
        try:
            is_sketch = until_reachable(self._store.sketches.contains, run.id)
            turn = (
                SketchTurn(self._store, run.id, self._capacity or Capacity(1))
                if is_sketch
                else None
            )
            self._control = turn.control if turn else Control(self._check_pause)
            if self._interrupted:  # between the claim and the assignment above
                self._control.interrupt()
            listen = turn.follow if turn else partial(self._after_event, run)
            execute_run(run, self._store, self._id, self._control, listen, is_sketch=is_sketch)
            self.left = run.id if self._interrupted and not is_sketch else None
            if turn:
                until_reachable(turn.settle)
        except RunReassigned as error:
            _print_error(error)
        except StoreError as error:
            _print_error(error)
            # The end is not written. The exit ends the run as interrupted; it is found lost only if
            # that write fails too.
            self._interrupted = True
        finally:
            self._control = None
        self._advance(advance_after_end, run)

    def _check_pause(self, paused_seconds: float) -> str:
        """Return the reason to interrupt a paused run; "" while it may stay paused."""
        if not self._pause_limit_seconds or paused_seconds < self._pause_limit_seconds:
            return ""
        try:
            has_room = self._store.next_with_room(self._id, self._capacity) is not None
            if has_room or not self._store.has_queued_run():
                return ""
        except StoreError as error:
            _print_error(error)
            return ""
        return _PAUSE_LIMIT_REASON.format(minutes=self._pause_limit_seconds / 60)

    def _after_event(self, run: Run, event: Event) -> None:
        if isinstance(event, EpochEnd) and run.request.group:
            self._advance(advance_after_epoch, run)

    def _advance(self, advance: Callable[[RunStore, Run], None], run: Run) -> None:
        """Submit the next runs of duels and experiments, and stop those that no longer matter."""
        try:
            until_reachable(advance, self._store, run)
        except CnnlibError as error:  # not an error of this run; retried at the next call
            _print_error(error)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a worker until the app ends it."""
    parser = argparse.ArgumentParser(prog="python -m cnnlib.train.worker", description=__doc__)
    parser.add_argument("--does", choices=("runs", "jobs"), default="runs")
    parser.add_argument("--at-once", type=int, help="most runs that train on this machine at once")
    parser.add_argument("--spare", action="store_true", help="exit when idle for a minute")
    parser.add_argument("--follow", action="store_true", help="exit when standard input ends")
    options = parser.parse_args(arguments)
    if sys.platform != "win32":
        os.setpriority(os.PRIO_PROCESS, 0, _NICENESS)
    store = RunStore(connections=WORKER_CONNECTIONS)
    if store.database.note:
        print(store.database.note, file=sys.stderr, flush=True)
    with store.workers.registered(options.does) as worker_id:
        pause_limit_seconds = 60 * store.settings.machine.pause_minutes
        capacity = machine_capacity(options.at_once) if options.at_once else None
        worker = Worker(store, worker_id, capacity, pause_limit_seconds)
        signal.signal(signal.SIGTERM, worker.interrupt)
        signal.signal(signal.SIGINT, worker.interrupt)
        if options.follow:
            pipe = sys.stdin.fileno()
            threading.Thread(target=worker.follow_pipe, args=(pipe,), daemon=True).start()
        if options.does == "jobs":
            worker.serve_jobs()
        else:
            if store.next_with_room(worker_id, capacity) is None:  # no run to train yet
                threading.Thread(target=import_at_low_priority, daemon=True).start()
            worker.serve_runs(IDLE_EXIT_SECONDS if options.spare else math.inf)


def serve_placed(store: RunStore, threads: int, *, stays: bool) -> None:
    """Train runs in a process that a cluster has started, on the cores that it has given to it.

    After SIGTERM, with which a cluster takes a machine away, the run writes a checkpoint and waits
    for another worker.

    Args:
        stays: Whether to wait for runs without an end; else the worker ends after an idle minute.
    """
    with store.workers.registered("runs") as worker_id:
        pause_limit_seconds = 60 * store.settings.machine.pause_minutes
        worker = Worker(store, worker_id, Capacity(1, threads=threads), pause_limit_seconds)
        signal.signal(signal.SIGTERM, worker.interrupt)
        worker.serve_runs(math.inf if stays else IDLE_EXIT_SECONDS)
    if worker.left is not None:
        until_reachable(store.resume, worker.left)


def import_at_low_priority() -> None:
    """Import the modules of training before there is a run, at low priority.

    On Linux the niceness is set for this thread only, so the training thread keeps its priority; a
    run that starts meanwhile waits for the rest of the import. Elsewhere the priority is normal.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS + _IMPORT_NICENESS)
    import numpy  # noqa: F401  (before torch, on one thread: torch needs it fully imported)

    import cnnlib.data.prepared
    import cnnlib.train.loop  # noqa: F401

    gc.freeze()  # excludes the imported modules from garbage collections during training


def _print_error(error: Exception) -> None:
    print(error, file=sys.stderr, flush=True)

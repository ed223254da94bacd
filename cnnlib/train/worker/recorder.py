"""The recorder: a thread between the training loop and the run store."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Event as Flag
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Self

from cnnlib.errors import FilesUnreachable, StoreError
from cnnlib.records.events import Event, RunEnd, SampleScore, StepMetrics, WeightsSaved
from cnnlib.records.folders import run_key
from cnnlib.runs.event_writer import Received, RunReassigned
from cnnlib.train.worker.uploader import Uploader

if TYPE_CHECKING:
    from cnnlib.runs import RunStore
    from cnnlib.train.control import Control

FLUSH_SECONDS = 0.1  # interval between writes of steps, in one transaction each
POLL_SECONDS = 0.03  # interval between polls for commands and for events other than steps
RETRY_SECONDS = 1.0  # pause after a failed write
MAX_PENDING = 200_000  # events kept in memory while the store cannot be written
FINAL_RETRY_SECONDS = 120.0  # time limit for retries at the end of a run


class Recorder:
    """Writes the events of one run to the store ten times a second, and fetches its commands.

    While the store cannot be written, events are kept in memory, in order, and are written later;
    the loop is not blocked. A file in an object store is uploaded before its event is written, and
    files that an event has dropped are removed after it. Usage::

        with Recorder(store, run.id, worker_id, control) as recorder:
            for event in train(...):
                recorder.record(event)

    Args:
        control: The queue for fetched commands.
        max_pending: The most events kept in memory.
        final_retry_seconds: How long the exit of the block retries to write the remaining events,
            and how long an upload is retried.
    """

    def __init__(
        self,
        store: RunStore,
        run_id: str,
        worker_id: str,
        control: Control,
        *,
        max_pending: int = MAX_PENDING,
        final_retry_seconds: float = FINAL_RETRY_SECONDS,
    ) -> None:
        self._store, self._run_id, self._worker_id = store, run_id, worker_id
        self._control = control
        self._max_pending = max_pending
        self._final_retry_seconds = final_retry_seconds
        self._incoming: deque[Event] = deque()  # filled by the loop, emptied by the thread
        self._unwritten: list[Event] = []  # used by the thread only
        self._received = Received()  # too
        self._is_urgent = False  # an event other than a step is pending and is written at once
        self._ended = Flag()
        self._fatal_error: Exception | None = None  # ends the run
        self._write_error: StoreError | None = None  # of the last write; None if it succeeded
        self._thread = Thread(target=self._run_thread, name="recorder", daemon=True)
        self._uploader: Uploader | None = None

    def record(self, event: Event) -> None:
        """Add an event; it is written within about a tenth of a second.

        Raises:
            StoreError: The run cannot continue: it was reassigned to another worker, or the store
                could not be written until ``max_pending`` events were kept.
        """
        if self._fatal_error is not None:
            raise self._fatal_error
        if self._write_error is not None and self._is_full() and isinstance(event, StepMetrics):
            raise self._write_error
        if self._uploader is not None and isinstance(event, WeightsSaved | RunEnd):
            self._uploader.add(event)
        else:
            self._pass_on(event)

    def _pass_on(self, event: Event) -> None:
        self._incoming.append(event)
        if not isinstance(event, StepMetrics | SampleScore):
            self._is_urgent = True

    def __enter__(self) -> Self:
        store, run_id = self._store, self._run_id
        if store.files.is_remote:
            self._uploader = Uploader(
                store.files,
                run_id,
                store.folders.run(run_id),
                [each.file for each in store.saved_weights(run_id)],
                self._pass_on,
                self._fail,
                self._final_retry_seconds,
            )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the remaining events.

        Raises:
            StoreError: They could not be written and are lost.
        """
        try:
            if self._uploader is not None and self._fatal_error is None:
                self._uploader.finish()
            self._ended.set()
            self._thread.join()
            if self._fatal_error is None:
                self._write_remaining()
            elif error is None:
                raise self._fatal_error
        finally:
            if self._uploader is not None:
                self._uploader.close()

    def _fail(self, error: Exception) -> None:
        """End the run with an error, which `record` raises."""
        self._fatal_error = error
        if self._uploader is not None:
            self._uploader.cancel()
        self._control.interrupt()

    def _run_thread(self) -> None:
        """Run the thread until the block exits; an unexpected error is raised by `record`."""
        try:
            while not self._ended.is_set():
                self._serve_store()
        except Exception as error:
            self._fail(error)

    def _serve_store(self) -> None:
        """Write and poll until the block exits; pause if the store cannot be opened."""
        try:
            with self._store.watch_commands(self._run_id) as has_commands:
                self._write_and_poll(has_commands)
        except RunReassigned:
            raise
        except StoreError as error:
            self._write_error = error
            self._ended.wait(RETRY_SECONDS)

    def _write_and_poll(self, has_commands: Callable[[], bool]) -> None:
        """Write events and poll for commands; retry later if the store fails."""
        due = time.monotonic()
        while not self._ended.wait(POLL_SECONDS):
            try:
                now = time.monotonic()
                if self._has_pending() and (
                    now >= due or (self._is_urgent and not self._write_error)
                ):
                    due = now + FLUSH_SECONDS
                    self._write()
                elif has_commands():
                    self._write()
            except RunReassigned:
                raise
            except StoreError as error:
                self._write_error = error
                due = time.monotonic() + RETRY_SECONDS

    def _is_full(self) -> bool:
        return len(self._incoming) + len(self._unwritten) >= self._max_pending

    def _has_pending(self) -> bool:
        return bool(self._incoming or self._unwritten)

    def _write(self) -> None:
        """Write all pending events in one transaction; on an error they stay pending, in order."""
        self._is_urgent = False
        while self._incoming:
            self._unwritten.append(self._incoming.popleft())
        events = self._unwritten
        commands = self._store.record_events(self._run_id, self._worker_id, events, self._received)
        last = commands[-1].id if commands else self._received.command
        self._received = Received(self._received.events + len(events), last)
        self._unwritten = []
        self._remove_dropped(events)
        self._write_error = None
        for command in commands:
            self._control.put(command)

    def _remove_dropped(self, written: list[Event]) -> None:
        """Remove the files that events have dropped, once these are written as this worker's."""
        dropped = [name for e in written if isinstance(e, WeightsSaved) for name in e.dropped]
        if self._uploader is not None:
            self._uploader.remove(dropped)
        elif dropped:
            with suppress(FilesUnreachable):  # the sweep removes them
                self._store.files.remove(run_key(self._run_id, name) for name in dropped)

    def _write_remaining(self) -> None:
        """Write all remaining events, the end of the run among them; retry until the time limit."""
        deadline = time.monotonic() + self._final_retry_seconds
        while self._has_pending():
            try:
                self._write()
            except RunReassigned:
                raise
            except StoreError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(FLUSH_SECONDS)

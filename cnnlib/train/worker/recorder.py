"""From the training loop to the run store and back, without making the loop wait."""

from __future__ import annotations

import time
from collections import deque
from threading import Event as Flag
from threading import Thread
from typing import TYPE_CHECKING, Self

from cnnlib.errors import StoreError
from cnnlib.records.events import Event, StepMetrics
from cnnlib.runs.event_writer import RunReassigned

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from cnnlib.runs import RunStore
    from cnnlib.train.control import Control

FLUSH_SECONDS = 0.1  # steps are written so often, all in one transaction
LOOK_SECONDS = 0.03  # new orders, and other events than steps, are looked for so often
RETRY_SECONDS = 1.0  # after a write that failed
MOST_WAITING = 200_000  # events kept in memory while the store cannot be written
LAST_TRY_SECONDS = 120.0  # how long the end of a run waits for a store that cannot be written


class Recorder:
    """Takes the events of one run, writes them ten times a second, and brings its orders.

    A store that cannot be written for a while costs nothing: events wait in memory, in order, and
    are written when it can be again.

    As the worker uses it::

        with Recorder(store, run.id, worker_id, control) as recorder:
            for event in train(...):
                recorder.record(event)

    Args:
        control: Where orders are put.
        most_waiting: Events that may wait in memory.
        last_try_seconds: How long leaving the block goes on trying to write what is left.
    """

    def __init__(
        self,
        store: RunStore,
        run_id: str,
        worker_id: str,
        control: Control,
        *,
        most_waiting: int = MOST_WAITING,
        last_try_seconds: float = LAST_TRY_SECONDS,
    ) -> None:
        self._store, self._run_id, self._worker_id = store, run_id, worker_id
        self._control = control
        self._most_waiting = most_waiting
        self._last_try_seconds = last_try_seconds
        self._told: deque[Event] = deque()  # filled by the loop, emptied by the thread
        self._unwritten: list[Event] = []  # the thread's own
        self._is_urgent = False  # a change of state was told: somebody may be waiting for it
        self._ended = Flag()
        self._trouble: Exception | None = None  # why the run cannot go on
        self._put_off: StoreError | None = None  # why the last write failed
        self._thread = Thread(target=self._work, name="recorder", daemon=True)

    def record(self, event: Event) -> None:
        """Take an event; it is in the store a tenth of a second later.

        Raises:
            StoreError: The run cannot go on: it was taken away from this worker, or the store could
                not be written for so long that memory would run out.
        """
        if self._trouble is not None:
            raise self._trouble
        if self._put_off is not None and self._is_full() and isinstance(event, StepMetrics):
            raise self._put_off
        self._told.append(event)
        if not isinstance(event, StepMetrics):
            self._is_urgent = True

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is left.

        Raises:
            StoreError: It could not be written; the run's rows end before it.
        """
        self._ended.set()
        self._thread.join()
        if self._trouble is None:
            self._write_the_rest()

    def _work(self) -> None:
        """The thread, until the end. What it cannot handle, the loop raises, and the run ends."""
        try:
            while not self._ended.is_set():
                self._try_to_watch()
        except Exception as error:
            self._trouble = error
            self._control.interrupt()

    def _try_to_watch(self) -> None:
        """Watch to the end; where the store cannot even be opened, try again later."""
        try:
            with self._store.watch_commands(self._run_id) as has_orders:
                self._write_and_look(has_orders)
        except RunReassigned:
            raise
        except StoreError as error:
            self._put_off = error
            self._ended.wait(RETRY_SECONDS)

    def _write_and_look(self, has_orders: Callable[[], bool]) -> None:
        """Write what was told and look for orders; a store that fails is tried again later."""
        due = time.monotonic()
        while not self._ended.wait(LOOK_SECONDS):
            try:
                now = time.monotonic()
                if self._has_news() and (now >= due or (self._is_urgent and not self._put_off)):
                    due = now + FLUSH_SECONDS
                    self._write()
                elif has_orders():
                    self._write()
            except RunReassigned:
                raise
            except StoreError as error:
                self._put_off = error
                due = time.monotonic() + RETRY_SECONDS

    def _is_full(self) -> bool:
        return len(self._told) + len(self._unwritten) >= self._most_waiting

    def _has_news(self) -> bool:
        return bool(self._told or self._unwritten)

    def _write(self) -> None:
        """One transaction; what it could not write stays, in order, for the next one."""
        self._is_urgent = False
        while self._told:
            self._unwritten.append(self._told.popleft())
        orders = self._store.record_events(self._run_id, self._worker_id, self._unwritten)
        self._unwritten = []
        self._put_off = None
        for order in orders:
            self._control.put(order)

    def _write_the_rest(self) -> None:
        """Write until nothing is left, with patience: it holds the end of the run."""
        deadline = time.monotonic() + self._last_try_seconds
        while self._has_news():
            try:
                self._write()
            except RunReassigned:
                raise
            except StoreError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(FLUSH_SECONDS)

"""The turn of a sketch on a worker: it ends when others need the worker, or the page wants it."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from cnnlib.errors import StoreError
from cnnlib.records.events import Command, Event, Phase
from cnnlib.train.control import Control

if TYPE_CHECKING:
    from cnnlib.runs import RunStore
    from cnnlib.runs.capacity import Capacity
    from cnnlib.runs.sketches import Order

_INTERVAL_SECONDS = 0.1  # between two questions for orders; one takes 0.2 ms


class SketchTurn:
    """Asks the store for the orders of a sketch while it trains or is paused, and follows them.

    Attributes:
        control: The queue of commands of the run.
    """

    def __init__(self, store: RunStore, run_id: str, capacity: Capacity) -> None:
        self.control = Control(self._check_paused)
        self._store, self._run_id, self._capacity = store, run_id, capacity
        self._began = self._asked = time.monotonic()
        self._is_paused = False
        self._order: Order = ""

    def follow(self, event: Event) -> None:
        """Ask for orders, if that is due; called with each event, in the training thread."""
        if isinstance(event, Phase):
            self._is_paused = event.state == "paused"
        if not self._is_paused:
            self._ask()

    def _check_paused(self, seconds: float) -> str:
        """Return the reason to interrupt the paused sketch; "" while it may stay paused."""
        self._ask()
        return "The sketch left its worker to others." if self.control.interrupted else ""

    def settle(self) -> None:
        """After the end of the run: continue it, record it or remove it, if an order ended it."""
        if self._order not in ("", "pause"):
            self._store.sketches.settle(self._run_id, was_paused=self._is_paused)

    def _ask(self) -> None:
        """Ask the store for an order, at most ten times a second, and follow it."""
        now = time.monotonic()
        if now - self._asked < _INTERVAL_SECONDS or self.control.interrupted:
            return
        self._asked = now
        sketches, seconds = self._store.sketches, now - self._began
        try:
            order = sketches.order(self._run_id, seconds, self._capacity, is_paused=self._is_paused)
            if order == "pause" and self._order != "pause":
                sketches.explain_pause(self._run_id)
                self.control.put(Command("pause"))
        except StoreError as error:  # asks again; the recorder ends the run if this lasts
            print(error, file=sys.stderr, flush=True)
            return
        if order not in ("", "pause"):
            self.control.interrupt()
        self._order = order

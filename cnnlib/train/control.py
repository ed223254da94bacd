"""What a person wants of a run, handed from any thread to the loop that trains it."""

from __future__ import annotations

import time
from collections import deque
from threading import Condition
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from cnnlib.records.events import Command


class Control:
    """A line of orders that other threads fill and the training loop empties.

    The loop looks at ``pending`` once per batch, which is two attribute reads, and waits here while
    it is paused.

    Args:
        give_way: Is asked ten times a second while the run is paused, with the seconds since the
            last order; a sentence from it ends the run as "interrupted", and says why.
    """

    def __init__(self, give_way: Callable[[float], str] = lambda seconds: "") -> None:
        self._give_way = give_way
        self.reason = ""  # why the run is interrupted, where there is more to say than that
        self._orders: deque[Command] = deque()
        self._changed = Condition()
        self._interrupted = False

    @property
    def interrupted(self) -> bool:
        """The run is to write a checkpoint and end, because its app is shut down."""
        return self._interrupted

    @property
    def pending(self) -> bool:
        """There is something that the loop has not seen yet."""
        return self._interrupted or bool(self._orders)

    def put(self, order: Command) -> None:
        """Hand an order to the loop; it is carried out after the batch that is under way."""
        with self._changed:
            self._orders.append(order)
            self._changed.notify_all()

    def interrupt(self) -> None:
        """Ask the loop to write a checkpoint and end as "interrupted".

        Takes no lock, so that a signal handler may call it; a paused loop sees it within a tenth of
        a second.
        """
        self._interrupted = True

    def take(self) -> Command | None:
        """The next order, or None if there is none."""
        return self._orders.popleft() if self._orders else None

    def wait(self) -> Command | None:
        """Block until there is an order, and take it; None once the run is interrupted."""
        since = time.monotonic()
        with self._changed:
            while not self.pending:
                self._changed.wait(timeout=0.1)  # a signal handler sets a flag and cannot notify
                if reason := self._give_way(time.monotonic() - since):
                    self.reason = reason
                    self.interrupt()
        return None if self._interrupted else self.take()

"""A queue of user commands from any thread to the training loop."""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Condition

from cnnlib.records.events import Command

# The reason of a run that a signal ended: from the app, or Ctrl-C.
INTERRUPTED = "The run was interrupted. Resume it to continue from its last checkpoint."


class Control:
    """A queue of commands that other threads fill and the training loop empties.

    The loop reads ``pending`` once per batch, which costs two attribute reads, and blocks in `wait`
    while the run is paused.

    Args:
        check_pause: Called ten times a second while the run is paused, with the seconds since the
            last command; a returned sentence is the reason to end the run as "interrupted", ""
            keeps it paused.

    Attributes:
        reason: Why the run is interrupted; "" for `INTERRUPTED`.
    """

    def __init__(self, check_pause: Callable[[float], str] = lambda seconds: "") -> None:
        self._check_pause = check_pause
        self.reason = ""
        self._commands: deque[Command] = deque()
        self._changed = Condition()
        self._interrupted = False

    @property
    def interrupted(self) -> bool:
        """Whether the run has to write a checkpoint and end."""
        return self._interrupted

    @property
    def pending(self) -> bool:
        """Whether a command or an interruption waits for the loop."""
        return self._interrupted or bool(self._commands)

    def put(self, command: Command) -> None:
        """Add a command; the loop executes it after the current batch, "interrupt" even before."""
        if command.kind == "interrupt":
            self.interrupt()
            return
        with self._changed:
            self._commands.append(command)
            self._changed.notify_all()

    def interrupt(self) -> None:
        """Make the loop write a checkpoint and end the run as "interrupted".

        Takes no lock, so that a signal handler may call it; a paused loop reacts within a tenth of
        a second.
        """
        self._interrupted = True

    def take(self) -> Command | None:
        """Remove and return the next command; None if there is none."""
        return self._commands.popleft() if self._commands else None

    def wait(self) -> Command | None:
        """Block until there is a command and return it; None once the run is interrupted."""
        since = time.monotonic()
        with self._changed:
            while not self.pending:
                self._changed.wait(timeout=0.1)  # a signal handler sets a flag and cannot notify
                if reason := self._check_pause(time.monotonic() - since):
                    self.reason = reason
                    self.interrupt()
        return None if self._interrupted else self.take()


@contextmanager
def interrupted_by_signals(control: Control) -> Generator[None]:
    """Let Ctrl-C and SIGTERM interrupt the run; a second Ctrl-C raises KeyboardInterrupt."""
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

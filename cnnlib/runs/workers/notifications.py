"""Notifications of PostgreSQL: who writes something that a worker waits for sends one.

They need a session of their own: a pooler in transaction mode hands none out. Where there is none,
watchers read the database once a second.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

RUNS, JOBS = "runs", "jobs"  # topics: the two queues; that of a run's commands is its id
LISTENING_SECONDS = 10.0  # between two reads while notifications arrive
POLL_SECONDS = 1.0  # and without them
FOUND_SECONDS = 0.25  # and after a read that found something, which may not be all
_RETRY_SECONDS = 1.0
_WAIT_SECONDS = 0.5  # the thread then looks whether it has to end
_CHANNEL = "cnnlab"


def notify(connection: sa.Connection, topic: str) -> None:
    """Wake the watchers of a topic when the transaction is committed; on SQLite they poll."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_notify(_CHANNEL, topic)))


class Listener:
    """Listens on one session for all watchers of a process, in a thread that the first starts.

    Args:
        url: The database's address without a pooler; None: there is none.
        options: More options of its sessions.
    """

    def __init__(self, url: sa.URL | None, options: Mapping[str, Any]) -> None:
        self._url, self._options = url, options
        self._lock = threading.Lock()
        self._flags: dict[threading.Event, str] = {}  # one of each watcher, with its topic
        self._is_listening = False
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watch(self, topic: str, find: Callable[[], bool]) -> Generator[Callable[[], bool]]:
        """Yield a function that calls ``find`` where that may find something, else returns False.

        That is after each notification of the topic, and now and then without one.
        """
        changed, due = threading.Event(), 0.0
        with self._lock:
            self._flags[changed] = topic
            if self._url and self._thread is None:
                self._ended.clear()
                self._thread = threading.Thread(target=self._listen, name="listener", daemon=True)
                self._thread.start()

        def find_if_due() -> bool:
            nonlocal due
            now = time.monotonic()
            if now < due and not changed.is_set():
                return False
            changed.clear()
            due = 0.0  # where the next line raises
            found = find()
            pause = LISTENING_SECONDS if self._is_listening else POLL_SECONDS
            due = now + (FOUND_SECONDS if found else pause)
            return found

        try:
            yield find_if_due
        finally:
            with self._lock:
                del self._flags[changed]

    def close(self) -> None:
        """End the session; the next watcher opens another."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _listen(self) -> None:
        """Listen until `close`; open another session after an error."""
        assert self._url is not None  # the thread is not started without it
        dialect = self._url.get_dialect()
        driver: Any = dialect.import_dbapi()
        _, options = dialect().create_connect_args(self._url)
        is_said = False
        while not self._ended.is_set():
            try:
                with driver.connect(**options, **self._options, autocommit=True) as session:
                    session.execute(f"LISTEN {_CHANNEL}")
                    self._is_listening, is_said = True, False
                    self._wake()  # what was sent before has not arrived
                    while not self._ended.is_set():
                        for notification in session.notifies(timeout=_WAIT_SECONDS):
                            self._wake(notification.payload)
            except driver.Error:
                if not is_said:
                    print(_LOST, file=sys.stderr, flush=True)
                is_said = True
            self._is_listening = False
            self._wake()
            self._ended.wait(_RETRY_SECONDS)

    def _wake(self, topic: str | None = None) -> None:
        """Let the watchers of a topic read, or all."""
        with self._lock:
            for flag, watched in self._flags.items():
                if topic in (None, watched):
                    flag.set()


_LOST = (
    "The session at CNNLAB_DATABASE_DIRECT cannot be used; workers need it to be notified at once. "
    "Until it can, they look for commands once a second."
)

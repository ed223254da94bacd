"""The page server's end of the viewer: one connection to the process that computes with torch."""

from __future__ import annotations

import secrets
import threading
from contextlib import suppress
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

from cnnlib.errors import ViewerError

ADDRESS_VARIABLE, KEY_VARIABLE = "CNNLAB_VIEWER_ADDRESS", "CNNLAB_VIEWER_KEY"
LONGEST_ANSWER_SECONDS = 60.0
STARTING = (
    "The viewer is starting: it loads PyTorch, which takes some seconds after the start of the "
    "server. This appears as soon as it is ready."
)


class Viewer:
    """Sends requests to the viewer process and waits for the answers; safe to share.

    Usage: start the process with `environment` added to its variables, then `ask`.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._listener = Listener(authkey=self._key)
        self._connection: Connection[Any, Any] | None = None
        self._one_request = threading.Lock()
        self._is_closed = False
        self._thread = threading.Thread(target=self._accept, name="viewer", daemon=True)
        self._thread.start()

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which a viewer process finds this end."""
        return {ADDRESS_VARIABLE: str(self._listener.address), KEY_VARIABLE: self._key.hex()}

    @property
    def is_ready(self) -> bool:
        """Whether a viewer process is connected."""
        return self._connection is not None

    def ask(self, function: str, *arguments: Any) -> Any:
        """Call a function of the viewer process and return its value.

        Raises:
            ViewerError: It is not ready, or ended meanwhile.
            CnnlibError: The function raised it.
            FaultError: The function raised another error, which is in the viewer's log.
        """
        with self._one_request:
            connection = self._connection
            if connection is None:
                raise ViewerError(STARTING)
            try:
                connection.send((function, arguments))
                if not connection.poll(LONGEST_ANSWER_SECONDS):
                    raise EOFError
                refused, value = connection.recv()
            except (EOFError, OSError) as error:
                self._connection = None
                connection.close()
                raise ViewerError(
                    "The viewer ended while it computed; another one is starting. This appears as "
                    "soon as it is ready."
                ) from error
        if refused is not None:
            raise refused
        return value

    def close(self) -> None:
        """End the connection, and with it the viewer process."""
        if self._is_closed:
            return
        self._is_closed = True
        with suppress(OSError), Client(self._listener.address):
            pass  # wakes the thread that waits for a connection; the thread may have ended already
        self._thread.join()
        self._listener.close()
        if (connection := self._connection) is not None:
            connection.close()

    def _accept(self) -> None:
        """Accept connections until `close`; a new one replaces the former."""
        while not self._is_closed:
            try:
                connection = self._listener.accept()
            except (EOFError, OSError, AuthenticationError):  # it ended at once, or has no key
                continue
            if self._is_closed:
                connection.close()
            else:
                self._connection = connection

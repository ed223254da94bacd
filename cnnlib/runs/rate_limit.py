"""A limit on how often something is done."""

from __future__ import annotations

import threading
import time

_MOST_KEYS = 1000


class RateLimit:
    """A shortest time between two events of the same key; safe to share between threads."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}

    def is_due(self, key: str = "") -> bool:
        """Whether the last time was at least ``seconds`` ago; if so, start the next interval."""
        now = time.monotonic()
        with self._lock:
            if now - self._last.get(key, -self._seconds) < self._seconds:
                return False
            if len(self._last) >= _MOST_KEYS:
                self._last.clear()
            self._last[key] = now
            return True

"""A slot for one process beside the page server, which is restarted after it exits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cnnlib.runs.workers.processes import Process, wait_for_exit

if TYPE_CHECKING:
    from cnnlib.records.folders import Folders

_QUICK_EXIT_SECONDS = 20.0  # an exit with an error before this delays the next start
_LONGEST_PAUSE_SECONDS = 60.0
_LOG_BYTES = 1_000_000  # a longer log is overwritten

# glibc returns large buffers to the system after every training step, which can cost a quarter of
# the time; these variables make a process keep them. They are read at its start, and by glibc
# alone.
KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "100000000000",
    "MALLOC_TOP_PAD_": "268435456",
}


class ProcessSlot:
    """A slot for one worker process, which is restarted after it exits."""

    def __init__(self, log: Path, launch: Callable[[Path], Process]) -> None:
        self._log = log
        self._launch = launch
        self._process: Process | None = None
        self._started = self._next_start = 0.0
        self._quick_exits = 0
        self.error = ""

    def ensure_started(self) -> None:
        """Start a process if there is none; after quick exits only after a delay."""
        if self._process is not None:
            code = self._process.poll()
            if code is None:
                self._clear_error_if_healthy()
                return
            self._record_exit(code)
        if time.monotonic() >= self._next_start:
            try:
                self._start()
            except OSError as error:  # no space for the log, no memory for a process
                self._delay_restart()
                found = f"{error.strerror} ({error.filename})" if error.filename else error.strerror
                self.error = (
                    f"No worker process can be started: {found}. No run can train until this is "
                    "fixed; CNN Lab keeps trying."
                )

    @property
    def pid(self) -> int | None:
        """Id of the running process; None without one."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def request_exit(self) -> None:
        """Request the process to exit."""
        if self._process is not None:
            self._process.request_exit()

    def wait(self, seconds: float) -> None:
        """Wait for the process to exit, for at most some seconds."""
        if self._process is not None:
            wait_for_exit(self._process, seconds)

    def _start(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        if self._log.exists() and self._log.stat().st_size > _LOG_BYTES:
            self._log.write_bytes(b"")
        self._process = self._launch(self._log)
        self._started = time.monotonic()

    def _clear_error_if_healthy(self) -> None:
        if time.monotonic() - self._started > _QUICK_EXIT_SECONDS:
            self._quick_exits, self.error = 0, ""

    def _record_exit(self, code: int) -> None:
        """Record that the process has exited; a quick exit with an error delays the next start."""
        self._process = None
        if code == 0 or time.monotonic() - self._started > _QUICK_EXIT_SECONDS:
            self._quick_exits, self.error = 0, ""
            return
        self._delay_restart()
        self.error = (
            f"The worker process ended right after its start (exit code "
            f"{code}), so no run can train. Its messages are in {self._log}; another "
            "worker starts soon."
        )

    def _delay_restart(self) -> None:
        """Delay the next start: 1 s after the first failure, then twice as long, up to 60 s."""
        self._quick_exits += 1
        pause = min(_LONGEST_PAUSE_SECONDS, 2.0 ** min(10, self._quick_exits - 1))
        self._next_start = time.monotonic() + pause


def worker_environment(folders: Folders) -> dict[str, str]:
    """Environment of a worker: the app's variables, its folders and the memory settings."""
    return KEEP_MEMORY | {
        **os.environ,
        "CNNLAB_DATA": str(folders.data),
        "CNNLAB_RUNS": str(folders.runs),
        "CNNLAB_DATABASE": folders.database,
        "CNNLAB_FILES": folders.files,
        "CNNLAB_DATABASE_DIRECT": folders.database_direct,
    }

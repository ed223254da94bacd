"""Processes beside the page server: forked from one that has imported torch, or started afresh."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import cnnlib

_END_SECONDS = 5.0
QUIT = b"q"  # written to a process that was started afresh: end the run with a checkpoint and exit
CAN_FORK = sys.platform == "linux"  # elsewhere system libraries do not survive a fork

# Ctrl-C in the app's terminal reaches only the app, which then ends its processes.
_OWN_GROUP: dict[str, Any]
if sys.platform == "win32":
    _OWN_GROUP = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
else:
    _OWN_GROUP = {"start_new_session": True}


class Process(Protocol):
    """A process that was started."""

    @property
    def pid(self) -> int | None:
        """Its id; None until it is known."""

    def poll(self) -> int | None:
        """Return its exit code; None while it runs."""

    def request_exit(self) -> None:
        """Request it to exit; a worker writes a checkpoint first."""


class StartedProcess:
    """A process with a command line of its own.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=Path(cnnlib.__file__).parent.parent,
                env=dict(environment),
                **_OWN_GROUP,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        code = self._process.poll()
        if code is not None:
            self._close_input()
        return code

    def request_exit(self) -> None:
        if self.poll() is not None:
            return
        with contextlib.suppress(OSError):  # it exits just now
            assert self._process.stdin is not None  # it was started with a pipe
            self._process.stdin.write(QUIT)
        self._close_input()

    def _close_input(self) -> None:
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()


class ForkServer:
    """Starts processes by forking one that has imported torch; see `cnnlib.train.worker`.

    It is started with the first process. If it ends, the next process starts another one; what it
    forked finishes its work and exits.

    Args:
        environment: Of all processes.
        log: File for its own messages.
    """

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._environment, self._log = dict(environment), log
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._running: dict[int, ForkedProcess] = {}
        self._count, self._unread = 0, b""

    def start(
        self, kind: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> ForkedProcess:
        """Fork a "worker" or a "viewer"; it starts once the modules are imported.

        Args:
            environment: Variables of this process alone.

        Raises:
            OSError: The fork server cannot be started.
        """
        with self._lock:
            self._read_reports()
            if self._server is None:
                self._start_server()
            self._count += 1
            process = self._running[self._count] = ForkedProcess(self, self._count)
            request = {"kind": kind, "arguments": list(arguments), "log": str(log)}
            self._send({**request, "number": self._count, "environment": dict(environment)})
            return process

    def read_reports(self) -> None:
        """Read what became of the processes."""
        with self._lock:
            self._read_reports()

    def request_exit(self, number: int) -> None:
        """Request one of the processes to exit."""
        with self._lock:
            self._send({"number": number, "exit": True})

    def close(self) -> None:
        """End the fork server; processes that still run finish their work and exit."""
        with self._lock:
            if self._server is not None:
                self._end()

    def _start_server(self) -> None:
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                (sys.executable, "-m", "cnnlib.train.worker.fork_server"),
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=Path(cnnlib.__file__).parent.parent,
                env=self._environment,
                **_OWN_GROUP,
            )
        assert self._server.stdout is not None  # it was started with a pipe
        os.set_blocking(self._server.stdout.fileno(), False)

    def _send(self, request: Mapping[str, Any]) -> None:
        if self._server is not None and self._server.stdin is not None:
            with contextlib.suppress(OSError):  # it has ended: the next report says so
                self._server.stdin.write(json.dumps(request).encode() + b"\n")

    def _read_reports(self) -> None:
        while self._server is not None and self._server.stdout is not None:
            received = self._server.stdout.read(65_536)
            if received is None:  # nothing new
                return
            *lines, self._unread = (self._unread + received).split(b"\n")
            for report in map(json.loads, lines):
                self._take(**report)
            if not received:
                self._end()

    def _take(self, number: int, pid: int | None = None, exit_code: int | None = None) -> None:
        if number in self._running and pid is not None:
            self._running[number].pid = pid
        if number in self._running and exit_code is not None:
            self._running.pop(number).exit_code = exit_code

    def _end(self) -> None:
        """Close the pipes of the fork server; nothing is known of its processes any more."""
        server, self._server, self._unread = self._server, None, b""
        assert server is not None and server.stdin is not None and server.stdout is not None
        for pipe in (server.stdin, server.stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        if all(process.pid is None for process in self._running.values()):
            server.kill()  # it may be importing; what it has just forked sees its end
        for process in self._running.values():
            process.exit_code = 1
        self._running.clear()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(_END_SECONDS)


class ForkedProcess:
    """A process that a `ForkServer` forks."""

    def __init__(self, server: ForkServer, number: int) -> None:
        self._server, self._number = server, number
        self.pid: int | None = None
        self.exit_code: int | None = None

    def poll(self) -> int | None:
        """Return its exit code; None while it runs, or before it does."""
        self._server.read_reports()
        return self.exit_code

    def request_exit(self) -> None:
        """Request it to exit."""
        self._server.request_exit(self._number)


def wait_for_exit(process: Process, seconds: float) -> None:
    """Wait until a process has exited, for at most some seconds."""
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)

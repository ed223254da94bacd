"""``python -m cnnlib.train.worker.fork_server``: imports torch once, and forks the processes.

`cnnlib.runs.workers.processes.ForkServer` starts it and sends it requests, one JSON object in a
line: ``{"number": 1, "kind": "worker", "arguments": [...], "environment": {...}, "log": ...}``
forks a worker or a viewer, ``{"number": 1, "exit": true}`` sends it SIGTERM. It reports
``{"number": 1, "pid": ...}`` and later ``{"number": 1, "exit_code": ...}``.

It is used on Linux only. When it forks it has one thread and has computed nothing with torch, since
OpenMP's threads do not survive a fork. A forked process has a pipe at its standard input that ends
with the fork server.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import sys
import threading
from pathlib import Path
from typing import Any

_POLL_SECONDS = 0.1  # between two looks for processes that have ended
_IMPORT_NICENESS = 5  # the first page goes first


def main() -> None:
    """Fork what is asked for until the app ends; in a forked process, be a worker or a viewer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    thread = threading.Thread(target=_import)
    thread.start()
    thread.join()
    gc.collect()
    gc.freeze()  # a collection would write to the memory that the processes share
    request = _serve()
    if request is not None:
        _become(request)


def _import() -> None:
    """Import what workers and viewer need, on a thread of its own, whose priority is low."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _IMPORT_NICENESS)
    import numpy  # noqa: F401  (before torch)

    import cnnlib.data.prepared
    import cnnlib.probe.viewer.functions
    import cnnlib.train.loop
    import cnnlib.train.viewer.step_view
    import cnnlib.train.worker.process  # noqa: F401


def _serve() -> dict[str, Any] | None:
    """Serve requests until the app ends; return None then, and in a forked process its request."""
    end, life = os.pipe()  # nothing is written: it ends with this process
    numbers: dict[int, int] = {}  # by process id
    unread = b""
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        while True:
            if selector.select(_POLL_SECONDS):
                received = os.read(0, 65_536)
                if not received:
                    return None
                *lines, unread = (unread + received).split(b"\n")
                for request in map(json.loads, lines):
                    if "exit" in request:
                        _terminate(request["number"], numbers)
                    elif (pid := _fork(request)) == 0:
                        os.close(life)
                        os.dup2(end, 0)
                        return dict(request)
                    elif pid:
                        numbers[pid] = request["number"]
            _report_ended(numbers)


def _fork(request: dict[str, Any]) -> int:
    """Fork, and report the new process; -1 where the system refuses."""
    try:
        pid = os.fork()
    except OSError as error:
        print(error, file=sys.stderr, flush=True)
        _report(number=request["number"], exit_code=1)
        return -1
    if pid:
        _report(number=request["number"], pid=pid)
    return pid


def _terminate(number: int, numbers: dict[int, int]) -> None:
    for pid, each in numbers.items():
        if each == number:
            os.kill(pid, signal.SIGTERM)  # it is not reaped yet, so the id is still its own


def _report_ended(numbers: dict[int, int]) -> None:
    while numbers:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        _report(number=numbers.pop(pid), exit_code=os.waitstatus_to_exitcode(status))


def _report(**values: int) -> None:
    os.write(1, json.dumps(values).encode() + b"\n")


def _become(request: dict[str, Any]) -> None:
    """Be the process of a request until it ends."""
    os.setsid()
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.environ.update(request["environment"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    Path("/proc/self/comm").write_text(f"cnnlab-{request['kind']}")  # in lists of processes
    from cnnlib.train.viewer.__main__ import run as run_viewer
    from cnnlib.train.worker.process import main as run_worker

    {"viewer": run_viewer, "worker": run_worker}[request["kind"]](request["arguments"])


if __name__ == "__main__":
    main()

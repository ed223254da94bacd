"""Start the app as a person would, wait until it answers, and leave no process behind.

For what drives the real app: the browser tests, the screenshots, the measurements.
"""

import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 120.0  # a cold disk and two busy cores
STOP_SECONDS = 20.0  # a run that is going on writes a checkpoint first

# Every process that the app starts inherits this variable, whatever its session and parent.
_MARK = "CNNLAB_SERVED_AS"


class ServingError(Exception):
    """The app did not start; the message ends with what it printed."""


@dataclass(frozen=True)
class Served:
    """An app that answers: its address without a slash at the end, its process, what it prints."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def serving(log: Path, env: Mapping[str, str], port: int | None = None) -> Generator[Served]:
    """Serve the app until the block is left.

    Args:
        log: File for what the app prints.
        env: All variables that the app sees.
        port: None for a free one.

    Raises:
        ServingError: It ended, or did not answer in time.
    """
    mark = uuid.uuid4().hex
    port = port or free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app.py"]
    command += ["--server.headless", "true", "--server.port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**env, _MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        served = Served(f"http://localhost:{port}", process, log)
        _wait_until_it_answers(served)
        yield served
    finally:
        _stop(process, mark)


def _wait_until_it_answers(served: Served) -> None:
    """Ask the app's health address until it answers."""
    deadline = time.monotonic() + START_SECONDS
    while served.process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{served.url}/_stcore/health", timeout=5):
                return
        except OSError:  # nothing listens yet, or it went away
            time.sleep(0.05)
    code = served.process.poll()
    what = (
        f"ended with code {code}" if code is not None else f"was silent for {START_SECONDS:.0f} s"
    )
    printed = served.log.read_text(errors="replace")[-4000:]
    raise ServingError(f"The app {what}. It printed:\n{printed}")


def _stop(process: subprocess.Popen[bytes], mark: str) -> None:
    """End the app as Ctrl-C would, then kill what is left of it and of its workers."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    left = [each for each in psutil.process_iter() if _is_marked(each, mark)]
    _, stubborn = psutil.wait_procs(left, timeout=STOP_SECONDS)
    for each in stubborn:
        each.kill()
    psutil.wait_procs(stubborn)


def _is_marked(process: psutil.Process, mark: str) -> bool:
    """Whether a process descends from the app that was started with this mark."""
    try:
        return process.environ().get(_MARK) == mark
    except (psutil.Error, OSError):  # ended meanwhile, or another person's
        return False

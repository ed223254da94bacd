"""Start the app as a user would, wait until it answers, and end all its processes afterwards.

Used by the browser tests, the screenshots and the measurements.
"""

import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
START = ("-m", "streamlit", "run", "app.py")
START_SECONDS = 120.0  # a cold disk and two busy cores
STOP_SECONDS = 20.0  # a running training writes a checkpoint first

# Inherited by every process that the app starts, also by those in another session.
_MARK = "CNNLAB_SERVED_AS"


class ServingError(Exception):
    """The app did not start; the message ends with its output."""


@dataclass(frozen=True)
class Served:
    """A running app: its address without a slash at the end, its process, and its log file."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def serving(
    log: Path,
    env: Mapping[str, str],
    port: int | None = None,
    start: Sequence[str] = START,
    folder: Path | None = None,
) -> Generator[Served]:
    """Serve the app until the block is left.

    Args:
        log: File for the app's output.
        env: The app's whole environment.
        port: None for a free one.
        start: Arguments of Python that start the app.
        folder: The working directory; None is the clone.

    Raises:
        ServingError: The app ended, or did not answer in time.
    """
    mark = uuid.uuid4().hex
    port = port or free_port()
    command = [sys.executable, *start, "--server.headless", "true", "--server.port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder or ROOT,
            env={**env, _MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        served = Served(f"http://localhost:{port}", process, log)
        _wait_until_ready(served)
        yield served
    finally:
        _stop(process, mark)


def _wait_until_ready(served: Served) -> None:
    """Request the app's health address until it answers."""
    deadline = time.monotonic() + START_SECONDS
    while served.process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{served.url}/_stcore/health", timeout=5):
                return
        except OSError:  # no listener yet, or the connection was closed
            time.sleep(0.05)
    code = served.process.poll()
    outcome = (
        f"ended with code {code}" if code is not None else f"was silent for {START_SECONDS:.0f} s"
    )
    printed = served.log.read_text(errors="replace")[-4000:]
    raise ServingError(f"The app {outcome}. It printed:\n{printed}")


def _stop(process: subprocess.Popen[bytes], mark: str) -> None:
    """Terminate the app, then kill its remaining processes, workers included."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    remaining = [each for each in psutil.process_iter() if _is_marked(each, mark)]
    _, alive = psutil.wait_procs(remaining, timeout=STOP_SECONDS)
    for each in alive:
        each.kill()
    psutil.wait_procs(alive)


def _is_marked(process: psutil.Process, mark: str) -> bool:
    """Whether a process was started by the app with this mark."""
    try:
        return process.environ().get(_MARK) == mark
    except (psutil.Error, OSError):  # ended meanwhile, or of another user
        return False

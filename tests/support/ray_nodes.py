"""A Ray cluster of the tests' own: a head without cores, and machines that can be killed at once.

All of them are on this machine. Each has a folder of its own as its disk, and a host name of its
own where this program may give it one.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from s3 import unused_port

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

START_SECONDS = 120.0
_PORTS = 200  # of the processes of one machine
_RAY = [sys.executable, "-m", "ray.scripts.scripts"]
_PRELOADED = "torch,cnnlib.train.worker.process,cnnlib.train.loop"
_MEMORY = str(100 * 1024**2)
_QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@dataclass
class RayNode:
    """A machine of the cluster.

    Args:
        name: Its host name.
        disk: Its folder of runs, which no other machine has.
        ports: Of its worker processes; machines of one address need different ones.
    """

    name: str
    disk: Path
    ports: range
    environment: dict[str, str]
    command: list[str]
    _process: subprocess.Popen | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start Ray on it, and wait until it has joined."""
        self.disk.mkdir(parents=True, exist_ok=True)
        ports = [f"--min-worker-port={self.ports[0]}", f"--max-worker-port={self.ports[-1]}"]
        command = [*self.command, *ports, "--block"]
        if os.geteuid() == 0 and shutil.which("unshare"):
            named = 'hostname "$0"; exec "$@"'
            command = ["unshare", "--uts", "sh", "-c", named, self.name, *command]
        path = self.disk.parent / f"{self.name}.log"
        with path.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env=self.environment,
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while "Ray runtime started" not in path.read_text():
            is_late = time.monotonic() > deadline
            assert self._process.poll() is None and not is_late, path.read_text()
            time.sleep(0.1)

    def kill(self, *, wipe: bool = False) -> None:
        """Kill all its processes at once, as if its power was cut; perhaps with its disk."""
        assert self._process is not None
        _kill(self._process)
        self._process = None
        if wipe:
            shutil.rmtree(self.disk)

    @property
    def is_running(self) -> bool:
        return self._process is not None


@dataclass
class RayCluster:
    """The head of a cluster, which gives its machines what they need to join."""

    folder: Path
    port: int
    first_port: int
    environment: dict[str, str]
    nodes: list[RayNode] = field(default_factory=list)

    def add_node(self, variables: Mapping[str, str], cpus: int = 1) -> RayNode:
        """Start a machine with these variables; its folder of runs is its own."""
        number = len(self.nodes) + 1
        disk = self.folder / f"node{number}"
        own = {"CNNLAB_RUNS": str(disk), "RAY_preload_python_modules": _PRELOADED}
        command = [*_RAY, "start", f"--address=127.0.0.1:{self.port}", f"--num-cpus={cpus}"]
        command += ["--disable-usage-stats", f"--object-store-memory={_MEMORY}"]
        environment = {**self.environment, **variables, **own}
        first = self.first_port + _PORTS * number
        ports = range(first, first + _PORTS)
        node = RayNode(f"node{number}", disk, ports, environment, command)
        node.start()
        self.nodes.append(node)
        return node


def _claim_ports() -> socket.socket:
    """Bind the first port of a range that no other cluster of the tests uses."""
    for first in range(20_000, 32_000, 10 * _PORTS):
        claimed = socket.socket()
        try:
            claimed.bind(("127.0.0.1", first))
            return claimed
        except OSError:
            claimed.close()
    raise AssertionError("All ranges of ports are in use")


def _kill(top: subprocess.Popen) -> None:
    """Kill a process and all that it has started, so that none sees another one's end."""
    own = []
    with contextlib.suppress(psutil.NoSuchProcess):
        started = psutil.Process(top.pid)
        own = [started, *started.children(recursive=True)]
    for signal_number in (signal.SIGSTOP, signal.SIGKILL):
        for process in own:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal_number)
    top.wait(30)
    psutil.wait_procs(own, timeout=30)


@contextmanager
def running_ray(*, tokens: bool = True) -> Generator[RayCluster]:
    """Start the head of a cluster; at the end of the block all of it is killed and removed.

    Args:
        tokens: Whether a program has to have a token.
    """
    folder = Path(tempfile.mkdtemp(prefix="cnnlab-ray-"))  # short: a socket's path has 107 bytes
    port = unused_port()
    claimed = _claim_ports()
    own_ports = [f"--min-worker-port={claimed.getsockname()[1] + 1}"]
    own_ports += [f"--max-worker-port={claimed.getsockname()[1] + _PORTS - 1}"]
    token = folder / "token"
    token.write_text(secrets.token_hex(32))
    plain = {name: text for name, text in os.environ.items() if not name.startswith("RAY_")}
    environment = plain | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "RAY_ADDRESS": f"127.0.0.1:{port}",
        "RAY_AUTH_MODE": "token" if tokens else "disabled",
        "RAY_AUTH_TOKEN_PATH": str(token),
    }
    command = [*_RAY, "start", "--head", "--block", f"--port={port}", "--num-cpus=0"]
    command += ["--include-dashboard=false", "--disable-usage-stats", f"--temp-dir={folder}/ray"]
    head = subprocess.Popen(
        [*command, *own_ports, f"--object-store-memory={_MEMORY}"],
        env=environment,
        start_new_session=True,
        **_QUIET,
    )
    cluster = RayCluster(folder, port, claimed.getsockname()[1] + 1, environment)
    try:
        _wait_until_it_listens(head, port)
        yield cluster
    finally:
        for node in cluster.nodes:
            if node.is_running:
                node.kill()
        _kill(head)
        claimed.close()
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_it_listens(head: subprocess.Popen, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert head.poll() is None, "Ray ended as soon as it had started"
            assert time.monotonic() < deadline, "Ray does not answer"
            time.sleep(0.1)

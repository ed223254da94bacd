"""An S3 server for the tests: moto, as a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

START_SECONDS = 60.0


@dataclass
class S3:
    """A running server, on a port of this machine."""

    port: int

    def __post_init__(self) -> None:
        self._numbers = count(1)
        self.environment = {
            "AWS_ACCESS_KEY_ID": "tester",
            "AWS_SECRET_ACCESS_KEY": "a-secret-of-the-tests",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def address(self, bucket: str) -> str:
        """The value of CNNLAB_FILES for a prefix in a bucket of this server."""
        return f"s3://{bucket}/lab?endpoint_override=127.0.0.1:{self.port}&scheme=http"

    def create_bucket(self) -> str:
        """Create an empty bucket; return its address."""
        from pyarrow import fs

        bucket = f"bucket{next(self._numbers)}"
        system = fs.S3FileSystem(
            access_key="tester",
            secret_key=self.environment["AWS_SECRET_ACCESS_KEY"],
            endpoint_override=f"127.0.0.1:{self.port}",
            scheme="http",
            region="us-east-1",
            allow_bucket_creation=True,
        )
        system.create_dir(bucket)
        return self.address(bucket)


@contextmanager
def running_server() -> Generator[S3]:
    """Start a server, and stop it at the end of the block."""
    port = unused_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, **quiet)
    try:
        _wait_until_ready(server, port)
        yield S3(port)
    finally:
        server.terminate()
        server.wait(30)


def unused_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait_until_ready(server: subprocess.Popen, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert server.poll() is None, "The S3 server ended as soon as it had started"
            assert time.monotonic() < deadline, "The S3 server does not answer"
            time.sleep(0.05)

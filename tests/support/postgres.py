"""A PostgreSQL server for the tests, from Debian's package, on a socket in a temporary folder."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Generator

START_SECONDS = 60.0
_UNPRIVILEGED_USERS = ("postgres", "nobody")  # PostgreSQL refuses to run as root


@dataclass
class Postgres:
    """A running server.

    Args:
        socket: The folder of its socket.
        user: Name of its database user.
    """

    socket: Path
    user: str

    def __post_init__(self) -> None:
        self._numbers = count(1)

    def address(self, schema: str = "public") -> str:
        """The value of CNNLAB_DATABASE for a schema of this server."""
        options = quote(f"-csearch_path={schema}", safe="")
        host = quote(str(self.socket), safe="")
        return f"postgresql+psycopg://{self.user}@/postgres?host={host}&options={options}"

    def create_schema(self) -> str:
        """Create an empty schema; return its address."""
        import psycopg

        schema = f"test{next(self._numbers)}"
        with psycopg.connect(host=str(self.socket), user=self.user, dbname="postgres") as connected:
            connected.execute(f"CREATE SCHEMA {schema}")
        return self.address(schema)


def find_programs() -> Path | None:
    """Find the folder with initdb and postgres; None if they are not installed."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return newest[-1].parent if newest else None


@contextmanager
def running_server(programs: Path) -> Generator[Postgres]:
    """Start a server, and stop it at the end of the block."""
    user = _unprivileged_user() if os.geteuid() == 0 else getpass.getuser()
    folder = Path(tempfile.mkdtemp(prefix="cnnlab-pg-"))  # short: a socket's path has 107 bytes
    as_user = {}
    if os.geteuid() == 0:
        shutil.chown(folder, user)
        as_user = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
    data = folder / "data"
    plain = {"cwd": folder, "stdout": subprocess.DEVNULL, **as_user}
    try:
        begin = ["-D", str(data), "-U", user, "-A", "trust", "-N", "--no-locale", "-E", "UTF8"]
        subprocess.run([programs / "initdb", *begin], check=True, **plain)
        serve = ["-D", str(data), "-k", str(folder), "-h", "", "-F", "-c", "log_min_messages=fatal"]
        server = subprocess.Popen([programs / "postgres", *serve], **plain)
        try:
            _wait_until_ready(server, folder, user)
            yield Postgres(folder, user)
        finally:
            server.send_signal(signal.SIGINT)  # fast shutdown: open connections are aborted
            server.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged_user() -> str:
    """A user of this system other than root."""
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in _UNPRIVILEGED_USERS if name in known)


def _wait_until_ready(server: subprocess.Popen, socket: Path, user: str) -> None:
    import psycopg

    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(host=str(socket), user=user, dbname="postgres").close()
            return
        except psycopg.OperationalError:
            assert server.poll() is None, "PostgreSQL ended as soon as it had started"
            assert time.monotonic() < deadline, "PostgreSQL does not answer"
            time.sleep(0.05)

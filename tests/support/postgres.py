"""PostgreSQL and PgBouncer for the tests, from Debian's packages, in a temporary folder."""

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
    from collections.abc import Callable, Generator

    import psycopg

START_SECONDS = 60.0
PORT, POOLER_PORT = 5432, 6432  # of the names of the sockets
_UNPRIVILEGED_USERS = ("postgres", "nobody")  # PostgreSQL refuses to run as root


@dataclass
class Postgres:
    """A running server.

    Args:
        socket: The folder of its socket, and of that of a pooler.
        user: Name of its database user.
        programs: The folder of PostgreSQL's programs.
        as_user: Arguments of `subprocess` with which programs run that refuse to run as root.
    """

    socket: Path
    user: str
    programs: Path
    as_user: dict[str, object]

    def __post_init__(self) -> None:
        self._numbers = count(1)

    def address(self, user: str, port: int = PORT) -> str:
        """The value of CNNLAB_DATABASE for the schema of a user, on this server or its pooler."""
        host = quote(str(self.socket), safe="")
        return f"postgresql+psycopg://{user}@/postgres?host={host}&port={port}"

    def create_schema(self, port: int = PORT) -> str:
        """Create a user with an empty schema, the default of its sessions; return its address.

        A pooler refuses an address with the option ``search_path``.
        """
        user = f"test{next(self._numbers)}"
        with self.connect() as session:
            session.execute(f"CREATE ROLE {user} LOGIN")
            session.execute(f"CREATE SCHEMA {user} AUTHORIZATION {user}")
        return self.address(user, port)

    def start(self) -> None:
        """Start the server."""
        options = f"-k {self.socket} -h '' -F -c log_min_messages=fatal"
        self.control("start", "-l", str(self.socket / "log"), "-o", options)

    def control(self, *arguments: str) -> None:
        """Run pg_ctl on the cluster, which lies beside the socket, and wait until it is done."""
        command = [self.programs / "pg_ctl", *arguments, "-w", "-D", self.socket / "data"]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(command, check=True, cwd=self.socket, **silent, **self.as_user)

    def connect(self, port: int = PORT) -> psycopg.Connection:
        """Open a session as the superuser."""
        import psycopg

        host = str(self.socket)
        return psycopg.connect(host=host, port=port, user=self.user, dbname="postgres")


def find_programs() -> Path | None:
    """Find the folder with initdb and postgres; None if they are not installed."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return newest[-1].parent if newest else None


def find_pooler() -> str | None:
    """Find PgBouncer; None if it is not installed."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


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
        server = Postgres(folder, user, programs, as_user)
        server.start()
        try:
            yield server
        finally:
            server.control("stop", "-m", "fast")  # open connections are aborted
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged_user() -> str:
    """A user of this system other than root."""
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in _UNPRIVILEGED_USERS if name in known)


@contextmanager
def running_pooler(postgres: Postgres, program: str) -> Generator[None]:
    """Start PgBouncer in transaction mode before a server, and stop it at the end of the block.

    It gives each transaction another session than the one before, as far as it has several.
    """
    settings = {
        "listen_port": POOLER_PORT,
        "unix_socket_dir": postgres.socket,
        "auth_type": "trust",
        "auth_user": postgres.user,  # looks up the users of the tests
        "auth_file": postgres.socket / "users.txt",
        "pool_mode": "transaction",
        "default_pool_size": 3,
        "server_round_robin": 1,
        "server_idle_timeout": 2,
        "max_client_conn": 500,
    }
    lines = [f"{name} = {value}" for name, value in settings.items()]
    file = postgres.socket / "pgbouncer.ini"
    server = f"host={postgres.socket} port={PORT}"
    file.write_text("\n".join(["[databases]", f"* = {server}", "[pgbouncer]", *lines, ""]))
    (postgres.socket / "users.txt").write_text(f'"{postgres.user}" ""\n')
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    pooler = subprocess.Popen([program, "-q", file], **silent, **postgres.as_user)
    try:
        _wait_until_ready(pooler, lambda: postgres.connect(POOLER_PORT))
        yield
    finally:
        pooler.send_signal(signal.SIGTERM)
        pooler.wait(30)


def _wait_until_ready(server: subprocess.Popen, connect: Callable[[], psycopg.Connection]) -> None:
    import psycopg

    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            connect().close()
            return
        except psycopg.OperationalError:
            assert server.poll() is None, f"{server.args[0]} ended as soon as it had started"
            assert time.monotonic() < deadline, f"{server.args[0]} does not answer"
            time.sleep(0.05)

"""The connection to the database: transactions, schema version, errors turned into sentences."""

from __future__ import annotations

import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, closing, contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cnnlib.errors import StoreError
from cnnlib.records.files import file_errors
from cnnlib.runs import migrations, tables
from cnnlib.runs.workers.notifications import Listener

if TYPE_CHECKING:
    from cnnlib.records.folders import Folders

    QueryWatch = AbstractContextManager[Callable[[], bool]]

BUSY_SECONDS = 5.0  # time that a write waits for a lock
WORKER_CONNECTIONS = 1  # of a worker to PostgreSQL, beside the session on which it listens
CONNECTIONS = 5  # most of another process; a request beyond them waits for one
MOST_EXCLUSIVE = 2  # blocks of `Database.exclusive` at once, so that connections are left


class StoreUnreachable(StoreError):
    """A PostgreSQL database does not answer, as while it is restarted; it may later."""


class CommitUnknown(StoreUnreachable):
    """It did not answer to the end of a transaction, which is recorded as a whole or not at all."""


class Database:
    """The database: SQLite (WAL) in the folder of runs, or the one at ``folders.database``.

    Safe to share between threads; each process opens its own. PostgreSQL may stand behind a pooler
    in transaction mode: nothing here needs a session to outlive its transaction.

    Args:
        connections: Most connections to PostgreSQL at once. With 1 no thread may open a transaction
            within another.

    Raises:
        StoreError: It cannot be opened or created, or a newer version of the lab wrote it.
    """

    def __init__(self, folders: Folders, connections: int = CONNECTIONS) -> None:
        what = f"The folder {folders.runs} cannot be created"
        with file_errors(StoreError, what, _STORES_RUNS):
            folders.runs.mkdir(parents=True, exist_ok=True)
        url = _database_url(folders)
        self.is_sqlite = url.get_backend_name() == "sqlite"
        direct = _direct_url(folders)
        self._passwords = _passwords(url) + (_passwords(direct) if direct else [])
        self._exclusive = threading.BoundedSemaphore(MOST_EXCLUSIVE)
        self._listener = Listener(direct, _link_options(direct) if direct else {})
        self.note = _note(self.is_sqlite, direct)
        self._address = url.database if self.is_sqlite else _without_password(url)
        if self.is_sqlite:
            with self._translate_errors():
                _enable_write_ahead_log(Path(url.database or ""))
        self._engine = _create_engine(url, connections)
        self._write_engine = self._engine.execution_options(cnnlab_writes=True)
        self._check_connection()
        self._create_tables(folders.runs)
        if folders.database and not folders.files:
            self.check_folder(folders.runs)

    @contextmanager
    def read(self) -> Generator[sa.Connection]:
        """Open a read transaction: one state of the store, without waiting for a writer."""
        with self._translate_errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Generator[sa.Connection]:
        """Open a write transaction, which is committed as a whole or not at all.

        Raises:
            CommitUnknown: The database did not answer whether it is committed.
        """
        with self._translate_errors(), self._write_engine.connect() as connection:
            connection.begin()
            yield connection
            with self._translate_errors(is_commit=True):
                connection.commit()

    @contextmanager
    def watch(self, query: sa.Select[Any], topic: str) -> Generator[Callable[[], bool]]:
        """Watch a query many times a second from one thread.

        On SQLite each call reads, past SQLAlchemy: 5 microseconds instead of 70. On PostgreSQL it
        reads when a notification has arrived, and now and then; no connection is kept for it.

        Args:
            topic: Of the notifications that are sent when the query may find something.

        Yields:
            A function that returns whether the query finds a row.
        """
        if not self.is_sqlite:
            with self._listener.watch(topic, lambda: self._has_row(query)) as has_row:
                yield has_row
            return
        with self._translate_errors(), self._engine.connect() as connection:
            raw: Any = connection.connection.driver_connection
            sql = str(query.compile(self._engine, compile_kwargs={"literal_binds": True}))

            def read() -> bool:
                with self._translate_errors():
                    return raw.execute(sql).fetchone() is not None

            yield read

    def _has_row(self, query: sa.Select[Any]) -> bool:
        with self.read() as connection:
            return connection.execute(query).first() is not None

    def check_committed(self, error: CommitUnknown, query: sa.Select[Any]) -> None:
        """Return if a query finds what a transaction wrote whose commit was not answered.

        Raises:
            CommitUnknown: The given error: nothing is found, or the database stays away.
        """
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                if self._has_row(query):
                    return
                raise error
            except CommitUnknown:
                raise
            except StoreUnreachable:
                if time.monotonic() > deadline:
                    raise error from None
                time.sleep(0.2)

    def lock(self, connection: sa.Connection) -> None:
        """Serialise transactions that count rows before they write.

        On SQLite this does nothing: a write transaction has an exclusive lock from its beginning.
        """
        if not self.is_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_NUMBER)))

    @contextmanager
    def exclusive(self, what: str) -> Generator[None]:
        """Run a block that no other process runs at the same time with the same ``what``.

        It may take seconds, as an upload does, and keeps one connection. On SQLite this does
        nothing: a single machine uses it, where files guard what needs it.
        """
        if self.is_sqlite:
            yield
            return
        number = int.from_bytes(blake2b(what.encode(), digest_size=4).digest(), signed=True)
        lock = sa.func.pg_advisory_xact_lock(_LOCK_NUMBER, number)
        with self._exclusive, self.read() as connection:
            connection.execute(sa.select(lock))
            yield

    def close(self) -> None:
        """Close all connections; the next use opens new ones."""
        self._listener.close()
        self._engine.dispose()

    def _check_connection(self) -> None:
        """Check that the database's driver accepts the address."""
        try:
            with self._translate_errors(), self._engine.connect():
                pass
        except sa.exc.ProgrammingError as error:
            found = self._without_passwords(str(error.orig).strip())
            raise StoreError(
                f"CNNLAB_DATABASE cannot be used: {found}. Write it as "
                "postgresql+psycopg://user@host/name, or unset it."
            ) from error

    def _without_passwords(self, text: str) -> str:
        for password in self._passwords:
            text = text.replace(password, "***")
        return text

    def _create_tables(self, runs: Path) -> None:
        """Create the tables if there are none, upgrade older ones, and check their version."""
        with self.read() as connection:
            is_new = not sa.inspect(connection).has_table("meta")
        if is_new:
            with self.write() as connection:
                self.lock(connection)
                if not sa.inspect(connection).has_table("meta"):
                    tables.metadata.create_all(connection)
                    self._write_meta(connection, "schema_version", str(tables.SCHEMA_VERSION))
        with self.read() as connection:
            version = self._read_meta(connection, "schema_version")
        if version in migrations.FROM:
            version = self._upgrade(runs)
        if version != str(tables.SCHEMA_VERSION):
            raise StoreError(
                f"The run store {self._address} has version {version}, but this program needs "
                f"version {tables.SCHEMA_VERSION}. Update the program, or set CNNLAB_RUNS to "
                "another folder."
            )

    def _upgrade(self, runs: Path) -> str | None:
        """Upgrade the tables of an older version and return the version that they then have."""
        with self.write() as connection:
            self.lock(connection)
            version = self._read_meta(connection, "schema_version")  # may be upgraded by now
            has_design_files = version in migrations.FROM
            while version in migrations.FROM:
                version = migrations.FROM[version](connection)
                is_version = tables.meta.c.key == "schema_version"
                connection.execute(sa.update(tables.meta).where(is_version).values(value=version))
            if has_design_files:
                migrations.take_designs(connection, runs)
        return version

    def identity(self) -> str:
        """Return the id of this run store, the same for all who use the database."""
        with self.write() as connection:
            self.lock(connection)
            own = self._read_meta(connection, "id")
            if own is None:
                own = secrets.token_hex(16)
                self._write_meta(connection, "id", own)
            return own

    def check_folder(self, folder: Path) -> None:
        """Check that the folder of runs is the one that belongs to this database."""
        file = folder / "store.id"
        with self.write() as connection:
            self.lock(connection)
            own = self._read_meta(connection, "folder")
            if own is None:
                own = secrets.token_hex(16)
                self._write_meta(connection, "folder", own)
                with file_errors(
                    StoreError, f"The folder {folder} cannot be written", _STORES_RUNS
                ):
                    file.write_text(own)
        if _read_id(file) != own:
            raise StoreError(
                f"{folder} is not the folder with the files of the run store {self._address}. "
                "Every machine that uses this database needs the same shared folder: set "
                "CNNLAB_RUNS to it."
            )

    @staticmethod
    def _write_meta(connection: sa.Connection, key: str, value: str) -> None:
        connection.execute(sa.insert(tables.meta).values(key=key, value=value))

    @staticmethod
    def _read_meta(connection: sa.Connection, key: str) -> str | None:
        return connection.scalar(sa.select(tables.meta.c.value).where(tables.meta.c.key == key))

    @contextmanager
    def _translate_errors(self, *, is_commit: bool = False) -> Generator[None]:
        """Turn errors of the database into a StoreError with advice.

        Integrity and programming errors pass unchanged: they are bugs of the lab.
        """
        try:
            yield
        except (sa.exc.IntegrityError, sa.exc.ProgrammingError):
            raise
        except sa.exc.TimeoutError as error:
            raise StoreUnreachable(_BUSY.format(place=self._address)) from error
        except (sa.exc.DBAPIError, sqlite3.Error) as error:
            original = error.orig if isinstance(error, sa.exc.DBAPIError) else error
            found = self._without_passwords(str(original).strip())
            matching = (text for sign, text in _ERROR_TEXTS.items() if sign in found)
            sentence, kind = next(matching, _OTHER), StoreError
            if not self.is_sqlite and isinstance(error, _LOST):
                kind = CommitUnknown if is_commit else StoreUnreachable
                sentence = _UNKNOWN if is_commit else sentence
            raise kind(sentence.format(place=self._address, found=found)) from error


def clock(connection: sa.Connection) -> sa.ColumnElement[float]:
    """Seconds since 1970 by the clock that all users of a database share.

    That is the clock of the PostgreSQL server; SQLite is used on one machine, whose clock it is.
    """
    if connection.dialect.name == "sqlite":
        return sa.literal(time.time())
    return sa.cast(sa.func.extract("epoch", sa.func.clock_timestamp()), sa.Double)


_LOCK_NUMBER = 20_250_601  # an arbitrary key of an advisory lock

_LOST = (sa.exc.OperationalError, sa.exc.InterfaceError)
_UNKNOWN = (
    "The run store {place} did not answer whether it has recorded a change: {found}. It may have. "
    "Look whether the change is there before you repeat it."
)
_BUSY = "The run store {place} has no free connection: too many requests at once. Try again."
_OTHER = (
    "The run store {place} cannot be used: {found}. Check that it can be reached, or set "
    "CNNLAB_RUNS or CNNLAB_DATABASE to another one."
)
_ERROR_TEXTS = {
    "locked": (
        "The run store {place} was locked by another program for more than "
        f"{BUSY_SECONDS:.0f} seconds. Try again; if this persists, close the program that uses the "
        "file."
    ),
    "readonly": (
        "The run store {place} cannot be written: {found}. Allow writing to its folder, or set "
        "CNNLAB_RUNS to another folder."
    ),
    "unable to open": (
        "The run store {place} cannot be opened: {found}. Allow writing to its folder, or set "
        "CNNLAB_RUNS to another folder."
    ),
    "is full": (
        "The run store {place} cannot grow: the disk is full. All recorded data is kept. Delete "
        "runs or other files, then continue."
    ),
    "malformed": (
        "The run store {place} is damaged: {found}. Restore the file from a backup, or move it "
        "away to start with a new store."
    ),
    "not a database": (
        "{place} is not a run store: {found}. Move the file away to start with a new store, or "
        "set CNNLAB_RUNS to another folder."
    ),
}


_STORES_RUNS = "It stores the runs: allow writing there, or set CNNLAB_RUNS to another folder."


def _read_id(file: Path) -> str | None:
    """Read the id of the database that a folder of runs belongs to; None without a file."""
    advice = (
        "It identifies the database of the folder: allow reading it, or set CNNLAB_RUNS to another "
        "folder."
    )
    what = f"The file {file} cannot be read"
    with file_errors(StoreError, what, advice, also=(UnicodeDecodeError,)):
        return file.read_text() if file.exists() else None


def _database_url(folders: Folders) -> sa.URL:
    """Build the database's URL; error messages never contain its password."""
    if not folders.database:  # not formatted as text: a folder's name may contain "?"
        return sa.URL.create("sqlite", database=str(folders.runs / "cnnlab.db"))
    try:
        return sa.make_url(folders.database)
    except sa.exc.ArgumentError as error:
        raise StoreError(
            "CNNLAB_DATABASE is not the address of a database. Write it as "
            "postgresql+psycopg://user@host/name, or unset it."
        ) from error


def _direct_url(folders: Folders) -> sa.URL | None:
    """Build the URL of the database's direct address; None without one."""
    if not folders.database_direct:
        return None
    try:
        url = sa.make_url(folders.database_direct)
    except sa.exc.ArgumentError:
        url = None
    if not folders.database or url is None or url.drivername != "postgresql+psycopg":
        found = (
            "not the address of a PostgreSQL database"
            if folders.database
            else "set, but CNNLAB_DATABASE is not"
        )
        raise StoreError(
            f"CNNLAB_DATABASE_DIRECT is {found}. It is a second address of the database at "
            "CNNLAB_DATABASE, without a pooler. Write it as postgresql+psycopg://user@host/name, "
            "or unset it."
        )
    return url


def _note(is_sqlite: bool, direct: sa.URL | None) -> str:
    """Say how commands reach workers that share a PostgreSQL database; "" for SQLite."""
    if is_sqlite:
        return ""
    if direct:
        return "Commands reach workers at once: they listen at CNNLAB_DATABASE_DIRECT."
    return (
        "Workers look for commands once a second. To have them notified at once, set "
        "CNNLAB_DATABASE_DIRECT to an address of the database without a pooler."
    )


def _passwords(url: sa.URL) -> list[str]:
    """Passwords in the address, in any place, to be removed from messages."""
    values = [url.password, *(url.query.get(name) for name in _SECRET_OPTIONS)]
    return [str(password) for password in values if password]


def _without_password(url: sa.URL) -> str:
    """The address for messages, with passwords hidden."""
    hidden = {name: "***" for name in _SECRET_OPTIONS if name in url.query}
    return url.update_query_dict(hidden).render_as_string(hide_password=True)


_SECRET_OPTIONS = ("password", "sslpassword")


def _enable_write_ahead_log(file: Path) -> None:
    """Set WAL mode, in which readers do not wait for a writer; the setting is stored in the file.

    SQLite does not wait for a lock here, so this retries while another program creates the store.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            with closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as connection:
                connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _create_engine(url: sa.URL, connections: int) -> sa.Engine:
    """Create the engine and register its connection setup; opens no connection."""
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS})
        sa.event.listen(engine, "connect", _set_up_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        options: dict[str, Any] = {"pool_size": connections, "max_overflow": 0}
        if url.get_dialect().driver == "psycopg":
            # A pooler may send the next transaction to a session without the prepared statement.
            options["connect_args"] = _link_options(url) | {"prepare_threshold": None}
        return sa.create_engine(url, pool_pre_ping=True, **options)
    except (sa.exc.NoSuchModuleError, ImportError) as error:
        raise StoreError(
            f"CNNLAB_DATABASE names a database that needs a missing Python module: {error}. "
            "For PostgreSQL install psycopg: pip install 'psycopg[binary]'."
        ) from error


def _link_options(url: sa.URL) -> dict[str, Any]:
    """Options of libpq with which a broken link is noticed in seconds; the address may set them."""
    seconds = {"connect_timeout": 10, "keepalives_idle": 10, "keepalives_interval": 5}
    options = seconds | {"keepalives_count": 3, "tcp_user_timeout": 15_000}
    return {name: value for name, value in options.items() if name not in url.query}


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    """Leave BEGIN to SQLAlchemy; a power cut may lose the last transactions, never more."""
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous=NORMAL")


def _begin_sqlite(connection: sa.Connection) -> None:
    """Begin a write transaction with its lock: upgrading a read transaction later could fail."""
    writes = connection.get_execution_options().get("cnnlab_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

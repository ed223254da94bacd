"""The id by which an object store and a database know that they belong together."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from cnnlib.errors import FileMissing, StoreError
from cnnlib.runs.tables import meta

if TYPE_CHECKING:
    from cnnlib.records.stored.files import Files
    from cnnlib.runs.database import Database

ID_KEY = "store.id"  # of the file
_META_KEY = "files"


def check_files(database: Database, files: Files) -> None:
    """Check that an object store holds the files of this database; a new database takes it.

    Raises:
        StoreError: It holds those of another one.
        FilesUnreachable: It cannot be reached.
    """
    with database.read() as connection:
        own = _own_id(connection)
    if own is None:
        own = _take(database, files)
    if own != read_id(files):
        raise _foreign(files)


def read_id(files: Files) -> str | None:
    """Return the id in an object store; None without one."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            files.copy_to(ID_KEY, copy := Path(folder, "id"))
        except FileMissing:
            return None
        return copy.read_text()


def write_id(files: Files, own: str) -> None:
    """Write the id into an object store."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "id")
        made.write_text(own)
        files.put(ID_KEY, made)


def record_id(connection: sa.Connection, own: str) -> None:
    """Record in a database which object store has its files."""
    connection.execute(sa.insert(meta).values(key=_META_KEY, value=own))


def _own_id(connection: sa.Connection) -> str | None:
    return connection.scalar(sa.select(meta.c.value).where(meta.c.key == _META_KEY))


def _take(database: Database, files: Files) -> str:
    """Make an empty object store that of this database; return the id that the database has."""
    with database.write() as connection:
        database.lock(connection)
        if (own := _own_id(connection)) is not None:
            return own
        if files.names():
            raise _foreign(files)
        own = secrets.token_hex(16)
        write_id(files, own)
        record_id(connection, own)
        return own


def _foreign(files: Files) -> StoreError:
    return StoreError(
        f"{files} does not hold the files of this run store, or a move to it was interrupted. Each "
        "run store needs a bucket or a prefix of its own: set CNNLAB_FILES and CNNLAB_DATABASE to "
        "two that belong together, or CNNLAB_FILES to an empty prefix. 'python -m cnnlib store "
        "move' moves a run store with its files."
    )

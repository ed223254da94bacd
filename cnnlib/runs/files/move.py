"""The move of a run store to another database and another place of its files.

All files are copied and compared, then all rows, in one transaction of the new database that ends
with a comparison. Until then the new store has no run; the old one is only read.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cnnlib.errors import StoreError
from cnnlib.records.folders import PREPARED, RUNS, UPLOADS
from cnnlib.records.stored.folder_files import FolderFiles
from cnnlib.records.stored.opening import open_files
from cnnlib.runs import tables
from cnnlib.runs.database import Database
from cnnlib.runs.files.store_id import read_id, record_id, write_id
from cnnlib.runs.store import RunStore

if TYPE_CHECKING:
    from cnnlib.records.folders import Folders
    from cnnlib.records.stored.files import Files

_BATCH_ROWS = 2000
_INFO = "info.json"
_NOT_MOVED = {"workers", "meta"}
_OWN_META = ("schema_version", "folder", "files", "swept")  # of one store alone


@dataclass(frozen=True)
class Moved:
    """What was moved and compared."""

    runs: int
    rows: int
    files: int
    file_bytes: int


def move_store(source: Folders, target: Folders) -> Moved:
    """Copy a run store that nobody uses to an empty place; it stays as it is.

    Raises:
        StoreError: The store is in use, the other place is not empty, one of them cannot be
            reached, or a copy differs. No run is in the new store then.
    """
    _check_places(source, target)
    with closing(RunStore(source)) as old:
        _check_idle(old)
        old_files, new_files = old.files, open_files(target)
        keeps_files = _files_place(source) == _files_place(target)
        if not keeps_files:
            _check_no_files(new_files)
        with closing(Database(target)) as database, old.database.write() as frozen:
            _lock_tables(frozen)
            _check_no_rows(database)
            copied: dict[str, int] = {}
            try:
                if not keeps_files:
                    _copy_files(source, old_files, new_files, copied)
                store_id = read_id(old_files) if keeps_files else secrets.token_hex(16)
                if new_files.is_remote and not keeps_files:
                    copied["store.id"] = 0
                    write_id(new_files, store_id or "")
                rows = _copy_rows(frozen, database, new_files.is_remote and store_id)
            except BaseException:
                with suppress(StoreError):
                    new_files.remove(copied)
                raise
            runs = frozen.scalar(sa.select(sa.func.count()).select_from(tables.runs)) or 0
    copied.pop("store.id", None)
    return Moved(runs, rows, len(copied), sum(copied.values()))


# -- checks ----------------------------------------------------------------------------------------


def _files_place(folders: Folders) -> str:
    return folders.files or str(folders.runs)


def _check_places(source: Folders, target: Folders) -> None:
    def database(folders: Folders) -> str:
        return folders.database or str(folders.runs)

    if database(source) == database(target):
        raise StoreError(
            "The new run store has the same database as the old one, so nothing can be moved. Set "
            "another CNNLAB_DATABASE, or another CNNLAB_RUNS for a database of its own."
        )
    shares_folder = _files_place(source) == _files_place(target) and not source.files
    if shares_folder and source.database and target.database:
        raise StoreError(
            f"The folder {source.runs} belongs to the old database, and would no longer fit it "
            "after a move to another server. Set CNNLAB_RUNS to an empty folder."
        )


def _check_idle(store: RunStore) -> None:
    store.workers.reap()
    with store.database.read() as connection:
        worker = connection.execute(sa.select(tables.workers).limit(1)).first()
    if worker is not None:
        raise StoreError(
            f"The run store is used by process {worker.pid} on {worker.host}, and a move needs it "
            "at rest. Stop the app and all workers, then move it."
        )


def _check_no_files(files: Files) -> None:
    if isinstance(files, FolderFiles):
        files.create()
    prefixes = ("",) if files.is_remote else (f"{each}/" for each in (RUNS, UPLOADS))
    found = next((each.key for prefix in prefixes for each in files.names(prefix)), None)
    if found is not None:
        raise StoreError(
            f"{files} is not empty: it holds {found}. A run store moves to an empty place only, so "
            "that nothing is mixed: delete what an interrupted move left there, or choose another "
            "place."
        )


def _check_no_rows(database: Database) -> None:
    with database.read() as connection:
        for table in _moved_tables():
            if connection.execute(sa.select(table).limit(1)).first() is not None:
                raise StoreError(
                    "The database of the new run store is not empty: it has runs, jobs or settings "
                    "of its own. Choose an empty database."
                )


def _lock_tables(connection: sa.Connection) -> None:
    """Keep others from writing; on SQLite the write transaction does so already."""
    if connection.dialect.name == "postgresql":
        names = ", ".join(table.name for table in tables.metadata.sorted_tables)
        connection.exec_driver_sql(f"LOCK TABLE {names} IN SHARE MODE")


# -- files -----------------------------------------------------------------------------------------


def _copy_files(source: Folders, old: Files, new: Files, copied: dict[str, int]) -> None:
    """Copy and compare all files; ``copied`` gets their keys and sizes."""
    with tempfile.TemporaryDirectory(dir=source.runs) as folder:
        here, back = Path(folder, "here"), Path(folder, "back")
        for files, key, target_key in _planned_copies(source, old, new.is_remote):
            files.copy_to(key, here)
            copied[target_key] = here.stat().st_size
            new.put(target_key, here)
            new.copy_to(target_key, back)
            if _digest(here) != _digest(back):
                raise StoreError(
                    f"The copy of {key} in {new} differs from the original, so its disk or network "
                    "is faulty. Nothing was moved."
                )


def _planned_copies(
    source: Folders, old: Files, is_remote: bool
) -> Generator[tuple[Files, str, str]]:
    """Yield files with their keys in the old and in the new place."""
    for prefix in (RUNS, UPLOADS):
        for each in old.names(f"{prefix}/"):
            yield old, each.key, each.key
    places: list[Files] = [old]
    if not old.is_remote and source.data != source.runs and source.data.is_dir():
        places.append(FolderFiles(source.data))
    seen: set[str] = set()
    for files in places:
        keys = [each.key for each in files.names(f"{PREPARED}/")]
        for info in [key for key in keys if key.endswith(f"/{_INFO}") and key not in seen]:
            seen.add(info)
            yield from ((files, *pair) for pair in _prepared_keys(files, info, keys, is_remote))


def _prepared_keys(
    files: Files, info: str, keys: list[str], is_remote: bool
) -> Generator[tuple[str, str]]:
    """Yield the keys of a prepared copy: in an object store its arrays lie by fingerprint."""
    folder = info.removesuffix(_INFO)
    with tempfile.TemporaryDirectory() as place:
        files.copy_to(info, copy := Path(place, _INFO))
        try:
            own = f"{folder}{json.loads(copy.read_text('utf-8'))['info']['fingerprint']}/"
        except (ValueError, KeyError, TypeError):
            return  # it is damaged, and is prepared again when it is needed
    before, after = own if files.is_remote else folder, own if is_remote else folder
    for key in keys:
        name = key.removeprefix(before)
        if key.startswith(before) and name.endswith(".npy") and "/" not in name:
            yield key, f"{after}{name}"
    yield info, info


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


# -- rows ------------------------------------------------------------------------------------------


def _moved_tables() -> list[Any]:
    """The tables with JSON as the text that it is stored as."""
    found = []
    for table in tables.metadata.sorted_tables:
        if table.name not in _NOT_MOVED:
            types = {
                c.name: sa.Text() if isinstance(c.type, tables.Json) else c.type for c in table.c
            }
            found.append(sa.table(table.name, *(sa.column(n, kind) for n, kind in types.items())))
    return found


def _copy_rows(frozen: sa.Connection, database: Database, store_id: str | bool | None) -> int:
    """Copy and compare all rows in one transaction; return their number."""
    count = 0
    with database.write() as connection:
        for table in _moved_tables():
            for rows in _batches(frozen, table):
                connection.execute(sa.insert(table), [dict(row._mapping) for row in rows])
                count += len(rows)
            if _rows_digest(frozen, table) != _rows_digest(connection, table):
                raise StoreError(
                    f"The copied rows of the table {table.name} differ from the originals. Nothing "
                    "was moved: report this as a fault of CNN Lab."
                )
        own = tables.meta.c.key.not_in(_OWN_META)
        for row in frozen.execute(sa.select(tables.meta).where(own)):
            connection.execute(sa.insert(tables.meta).values(**row._mapping))
        if store_id:
            record_id(connection, str(store_id))
        _set_counters(connection)
    return count


def _batches(connection: sa.Connection, table: Any) -> Iterator[Any]:
    query = sa.select(table).execution_options(yield_per=_BATCH_ROWS)
    return connection.execute(query).partitions()


def _rows_digest(connection: sa.Connection, table: Any) -> int:
    """A number that depends on all rows, not on their order, which databases differ in."""
    total = 0
    for rows in _batches(connection, table):
        for row in rows:
            digest = hashlib.blake2b(repr(tuple(row)).encode(), digest_size=16).digest()
            total += 1 + int.from_bytes(digest)
    return total


def _set_counters(connection: sa.Connection) -> None:
    """Let PostgreSQL count up from the copied numbers; SQLite does by itself."""
    if connection.dialect.name != "postgresql":
        return
    for table in tables.metadata.sorted_tables:
        column = table.autoincrement_column
        if column is not None and table.name not in _NOT_MOVED:
            highest = connection.scalar(sa.select(sa.func.max(column)))
            if highest is not None:
                sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
                connection.execute(sa.select(sa.func.setval(sequence, highest)))

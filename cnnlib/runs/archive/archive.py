"""Archives: export of runs with their rows and files into one zip file, and its import.

An archive holds ``runs.json`` (format, and the rows of each run) and ``files/<run id>/<name>``.
No content is unpickled, and no file is written outside the folder of its run.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

import sqlalchemy as sa

from cnnlib.errors import StoreError
from cnnlib.records.files import file_errors, replacing
from cnnlib.records.folders import run_key, run_prefix
from cnnlib.records.run import PLAIN_NAME
from cnnlib.runs import tables
from cnnlib.runs.access.dataset_owners import check_archive
from cnnlib.runs.archive.schema import (
    NOT_EXPORTED,
    RUN_TABLES,
    InvalidArchiveError,
    check_run,
    exported_columns,
    table_rows,
)
from cnnlib.runs.queue import new_id

if TYPE_CHECKING:
    from cnnlib.runs.store import RunStore

FORMAT = "cnnlab-runs-1"
MOST_RUNS = 2000
MOST_BYTES = 4_000_000_000  # limit for the unpacked size of all files
MOST_RATIO = 50  # unpacked over packed size; weights hardly shrink, lists of numbers do
MOST_JSON_BYTES = 100_000_000  # parsing takes about five times as much memory
# Errors of zipfile for invalid files; ValueError includes UnicodeError.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
_MOST_READ_BYTES = 32_000_000  # of one read: zipfile reads the table of contents at once


def export_runs(
    store: RunStore, run_ids: Iterable[str], target: Path | IO[bytes], *, weights: bool = True
) -> list[str]:
    """Write ended runs into one file and return their ids.

    Args:
        weights: Include snapshots and checkpoints. Each .npz file is always included: the test
            predictions, and the out-of-distribution detector.

    Raises:
        StoreError: A run is missing or has not ended, or the file cannot be written.
    """
    ids = list(dict.fromkeys(run_ids))
    for run_id in ids:
        run = store.run(run_id)
        if run.is_live:
            raise StoreError(
                f"The run {run_id} is {run.state}; only runs that have ended can be exported. "
                "Wait until it ends, or stop it."
            )
    advice = "Choose another file, or free some space."
    with (
        file_errors(StoreError, f"The runs cannot be written to {target}", advice),
        replacing(target) if isinstance(target, Path) else nullcontext(target) as place,
        zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
    ):
        rows = [_export_rows(store, run_id, weights) for run_id in ids]
        archive.writestr("runs.json", json.dumps({"format": FORMAT, "runs": rows}))
        for run_id in ids:
            for key in _exported_keys(store, run_id, weights):
                archive.write(store.files.fetch(key), key, zipfile.ZIP_STORED)
    return ids


def export_bytes(store: RunStore, run_ids: Iterable[str], *, weights: bool = False) -> bytes:
    """The content of the file that `export_runs` writes, for a page's download."""
    buffer = io.BytesIO()
    export_runs(store, run_ids, buffer, weights=weights)
    return buffer.getvalue()


def import_runs(store: RunStore, source: Path | IO[bytes]) -> list[str]:
    """Import the runs of an archive and return their ids in this store.

    A run keeps its id if that is free. A run that exists here, with the same request and end, is
    not imported again; if its id belongs to another run here, it gets a new id.

    Raises:
        StoreError: The file is not a valid archive, is damaged, or has forbidden content.
        LimitError: It exceeds the disk limit of the person.
    """
    what, advice = f"The file {source} cannot be read", "Choose a file that `export-runs` wrote."
    try:
        with file_errors(StoreError, what, advice), ExitStack() as stack:
            file = stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
            archive = stack.enter_context(zipfile.ZipFile(_BoundedReader(file)))
            runs = _read_runs(archive)
            check_archive(store, sum(entry.file_size for entry in archive.infolist()))
            return _import_all(store, archive, runs)
    except _ZIP_ERRORS as error:
        raise _archive_error(f"it cannot be unpacked ({str(error)[:200]})") from error


class _BoundedReader:
    """A file with a limited size of each read, against forged lengths in headers."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(_MOST_READ_BYTES + 1 if size < 0 else min(size, _MOST_READ_BYTES))
        if len(content) >= _MOST_READ_BYTES:
            raise _archive_error("its table of contents is too long")
        return content


def _export_rows(store: RunStore, run_id: str, weights: bool) -> dict[str, Any]:
    """All rows of a run as plain JSON values, by table."""
    with store.database.read() as connection:
        own = connection.execute(sa.select(tables.runs).where(tables.runs.c.id == run_id)).one()
        values = {name: value for name, value in own._mapping.items() if name not in NOT_EXPORTED}
        rows: dict[str, Any] = {"run": values}
        for table in RUN_TABLES:
            if table is tables.weights and not weights:
                rows[table.name] = []
                continue
            wanted = sa.select(table).where(table.c.run_id == run_id).order_by(*table.primary_key)
            names = exported_columns(table)
            found = connection.execute(wanted).all()
            rows[table.name] = [[row._mapping[name] for name in names] for row in found]
        return rows


def _exported_keys(store: RunStore, run_id: str, weights: bool) -> list[str]:
    """The keys of the files of a run to export: those with plain names."""
    prefix = run_prefix(run_id)
    keys = [each.key for each in store.files.names(prefix)]
    return [
        key
        for key in keys
        if PLAIN_NAME.fullmatch(key.removeprefix(prefix)) and (weights or key.endswith(".npz"))
    ]


def _read_runs(archive: zipfile.ZipFile) -> list[dict[str, Any]]:
    """Read the rows of an archive and check all of them."""
    for entry in archive.infolist():
        _check_entry(entry)
    _check_size(archive)
    try:
        if archive.getinfo("runs.json").file_size > MOST_JSON_BYTES:
            raise _archive_error(
                f"its list of runs has more than {MOST_JSON_BYTES:,} bytes; export fewer runs"
            )
        content = json.loads(archive.read("runs.json"))
        if content["format"] != FORMAT:
            raise _archive_error(f"its format is {str(content['format'])[:60]!r}, not {FORMAT!r}")
        runs = content["runs"]
        if not isinstance(runs, list) or len(runs) > MOST_RUNS:
            raise _archive_error(f"it does not contain a list of at most {MOST_RUNS:,} runs")
        for values in runs:
            check_run(values)
    except InvalidArchiveError as error:
        found, _, _ = str(error).partition(". ")  # without the advice of a check: it is for people
        raise _archive_error(found) from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise _archive_error(f"its list of runs cannot be read ({repr(error)[:200]})") from error
    return runs


def _check_entry(entry: zipfile.ZipInfo) -> None:
    """Check that an entry is the list of runs, or a file of a run with a plain name."""
    parts = PurePosixPath(entry.filename).parts
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _archive_error(f"{entry.filename[:80]!r} has an unsupported compression method")
    if entry.filename == "runs.json":
        return
    is_plain = len(parts) == 3 and parts[0] == "files" and all(map(PLAIN_NAME.fullmatch, parts[1:]))
    if not is_plain or entry.is_dir() or ".." in entry.filename or "\\" in entry.filename:
        raise _archive_error(f"it contains {entry.filename[:80]!r}, which is not a file of a run")
    if entry.file_size > max(1_000_000, MOST_RATIO * entry.compress_size):
        raise _archive_error(f"{entry.filename!r} has an implausible compression ratio")


def _check_size(archive: zipfile.ZipFile) -> None:
    """Check the unpacked size, and that no two entries share the same packed bytes."""
    entries = archive.infolist()
    assert archive.fp is not None  # the archive is open
    size = archive.fp.seek(0, io.SEEK_END)
    if sum(entry.compress_size for entry in entries) > size:
        raise _archive_error("its entries together are larger than the file")
    if sum(entry.file_size for entry in entries) > MOST_BYTES:
        raise _archive_error(f"it would unpack to more than {MOST_BYTES:,} bytes")


def _import_all(
    store: RunStore, archive: zipfile.ZipFile, runs: Sequence[dict[str, Any]]
) -> list[str]:
    """Write all runs into the store, or none if one of them cannot be written."""
    new: list[str] = []
    try:
        return [_import_run(store, archive, values, new) for values in runs]
    except BaseException:
        for run_id in new:
            store.delete(run_id)
        raise


def _import_run(
    store: RunStore, archive: zipfile.ZipFile, values: dict[str, Any], new: list[str]
) -> str:
    """Write one run into the store, files first; a failure leaves nothing of it behind."""
    exported = values["run"]
    run_id = exported["id"]
    with store.database.read() as connection:
        wanted = sa.select(tables.runs.c.request, tables.runs.c.ended).where(
            tables.runs.c.id == run_id
        )
        here = connection.execute(wanted).first()
    if here is not None:
        if here.request == exported["request"] and here.ended == exported["ended"]:
            return run_id
        run_id = new_id()
    try:
        _unpack(archive, exported["id"], store, run_id)
        _insert(store, run_id, values)
    except BaseException:
        with suppress(StoreError):
            store.files.remove([run_prefix(run_id)])
        raise
    new.append(run_id)
    return run_id


def _unpack(archive: zipfile.ZipFile, exported_id: str, store: RunStore, run_id: str) -> None:
    folder = store.folders.run(run_id)
    entries = [e for e in archive.infolist() if e.filename.startswith(f"files/{exported_id}/")]
    advice = "Free some space, or allow writing there. No run was imported."
    with file_errors(StoreError, f"The runs cannot be written to {folder}", advice):
        folder.mkdir(parents=True, exist_ok=True)
        for entry in entries:
            target = folder / PurePosixPath(entry.filename).name
            with archive.open(entry) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
                file.flush()
                os.fsync(file.fileno())
            store.files.put(run_key(run_id, target.name), target)


def _insert(store: RunStore, run_id: str, values: dict[str, Any]) -> None:
    with store.database.write() as connection:
        own = values["run"] | {"id": run_id, "rank": 0, "owner": store.owner}
        connection.execute(sa.insert(tables.runs).values(**own))
        for table in RUN_TABLES:
            rows = _as_rows(exported_columns(table), table_rows(values, table), run_id)
            if rows:
                connection.execute(sa.insert(table), rows)


def _as_rows(
    names: Sequence[str], rows: Sequence[Sequence[Any]], run_id: str
) -> list[dict[str, Any]]:
    return [dict(zip(names, row, strict=True)) | {"run_id": run_id} for row in rows]


def _archive_error(reason: str) -> StoreError:
    return StoreError(
        f"The file is not a valid run archive: {reason}. Choose a file that `export-runs` or the "
        "Results page wrote, with the same version of CNN Lab."
    )

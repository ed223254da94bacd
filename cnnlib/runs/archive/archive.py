"""Parcels: runs with all that they told, and their files, as one zip file that travels.

A parcel holds ``runs.json`` (format, and the rows of each run) and ``files/<run id>/<name>``.
Nothing in it is unpickled, and nothing is written outside the folder of its run.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import zipfile
import zlib
from contextlib import ExitStack, nullcontext
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

import sqlalchemy as sa

from cnnlib.errors import StoreError
from cnnlib.records.files import replacing
from cnnlib.records.run import PLAIN_NAME
from cnnlib.runs import tables
from cnnlib.runs.archive.schema import NOT_SENT, PARTS, Unfit, check_run, sent
from cnnlib.runs.dataset_owners import check_archive
from cnnlib.runs.queue import new_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cnnlib.runs.store import RunStore

FORMAT = "cnnlab-runs-1"
MOST_RUNS = 2000
MOST_BYTES = 4_000_000_000  # of all files together, unpacked
MOST_RATIO = 50  # unpacked over packed; weights are hardly packed at all, lists of numbers are
MOST_JSON_BYTES = 100_000_000  # a list of that length takes five times as much memory
# What zipfile raises on files that are not what they seem; ValueError includes UnicodeError.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
_MOST_READ_BYTES = 32_000_000  # at once: zipfile reads a table of contents whole


def export_runs(
    store: RunStore, run_ids: Iterable[str], target: Path | IO[bytes], *, weights: bool = True
) -> list[str]:
    """Write runs that have ended into one file; returns their ids.

    Args:
        weights: Snapshots and checkpoints too; predictions on the test split always go along.

    Raises:
        StoreError: A run is not there or has not ended, or the file cannot be written.
    """
    ids = list(dict.fromkeys(run_ids))
    for run_id in ids:
        run = store.run(run_id)
        if run.is_live:
            raise StoreError(
                f"The run {run_id} is {run.state}; only runs that have ended travel. Wait for it, "
                "or stop it."
            )
    try:
        with (
            replacing(target) if isinstance(target, Path) else nullcontext(target) as place,
            zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as parcel,
        ):
            rows = [_rows(store, run_id, weights) for run_id in ids]
            parcel.writestr("runs.json", json.dumps({"format": FORMAT, "runs": rows}))
            for run_id in ids:
                for file in _files(store.folders.run(run_id), weights):
                    parcel.write(file, f"files/{run_id}/{file.name}", zipfile.ZIP_STORED)
    except OSError as error:
        raise StoreError(
            f"The runs cannot be written to {target}: {error.strerror}. Name another file, or free "
            "some space."
        ) from error
    return ids


def export_bytes(store: RunStore, run_ids: Iterable[str], *, weights: bool = False) -> bytes:
    """The file of `export_runs`, in memory; for a page's download."""
    buffer = io.BytesIO()
    export_runs(store, run_ids, buffer, weights=weights)
    return buffer.getvalue()


def import_runs(store: RunStore, source: Path | IO[bytes]) -> list[str]:
    """Take over the runs of a parcel; returns their ids here.

    A run keeps its id where that is free. One that is here already, with the same request and end,
    is not taken twice; one whose id means another run here gets a new id.

    Raises:
        StoreError: The file is no parcel, is damaged, or holds what a parcel must not.
        LimitError: It is more than one person may bring.
    """
    try:
        with ExitStack() as stack:
            file = stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
            parcel = stack.enter_context(zipfile.ZipFile(_Bounded(file)))
            runs = _read(parcel)
            check_archive(store, sum(entry.file_size for entry in parcel.infolist()))
            return _take_all(store, parcel, runs)
    except _ZIP_ERRORS as error:
        raise _no_parcel(f"it cannot be unpacked ({str(error)[:200]})") from error
    except OSError as error:
        raise StoreError(
            f"The file {source} cannot be read: {error.strerror}. Name the file that "
            "`export-runs` wrote."
        ) from error


class _Bounded:
    """A file that is read in bounded parts only; what a forged length asks for is refused."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(_MOST_READ_BYTES + 1 if size < 0 else min(size, _MOST_READ_BYTES))
        if len(content) >= _MOST_READ_BYTES:
            raise _no_parcel("its table of contents is too long")
        return content


def _rows(store: RunStore, run_id: str, weights: bool) -> dict[str, Any]:
    """All rows of a run as plain JSON values, by table."""
    with store.database.read() as connection:
        own = connection.execute(sa.select(tables.runs).where(tables.runs.c.id == run_id)).one()
        values = {name: value for name, value in own._mapping.items() if name not in NOT_SENT}
        rows: dict[str, Any] = {"run": values}
        for table in PARTS:
            if table is tables.weights and not weights:
                rows[table.name] = []
                continue
            wanted = sa.select(table).where(table.c.run_id == run_id).order_by(*table.primary_key)
            names = sent(table)
            found = connection.execute(wanted).all()
            rows[table.name] = [[row._mapping[name] for name in names] for row in found]
        return rows


def _files(folder: Path, weights: bool) -> list[Path]:
    """What goes along of a run's folder: files with plain names, none that is half written."""
    if not folder.is_dir():
        return []
    files = [file for file in sorted(folder.iterdir()) if file.is_file()]
    return [
        file
        for file in files
        if PLAIN_NAME.fullmatch(file.name) and (weights or file.suffix == ".npz")
    ]


def _read(parcel: zipfile.ZipFile) -> list[dict[str, Any]]:
    """The rows of a parcel, checked for what nobody but us would write."""
    for entry in parcel.infolist():
        _check_entry(entry)
    _check_size(parcel)
    try:
        if parcel.getinfo("runs.json").file_size > MOST_JSON_BYTES:
            raise _no_parcel(
                f"its list of runs has more than {MOST_JSON_BYTES:,} bytes; send fewer at a time"
            )
        content = json.loads(parcel.read("runs.json"))
        if content["format"] != FORMAT:
            raise _no_parcel(f"its format is {str(content['format'])[:60]!r}, not {FORMAT!r}")
        runs = content["runs"]
        if not isinstance(runs, list) or len(runs) > MOST_RUNS:
            raise _no_parcel(f"it does not hold a list of at most {MOST_RUNS:,} runs")
        for values in runs:
            check_run(values)
    except Unfit as error:
        raise _no_parcel(str(error)) from error
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise _no_parcel(f"its list of runs cannot be read ({repr(error)[:200]})") from error
    return runs


def _check_entry(entry: zipfile.ZipInfo) -> None:
    """A file of a run with a plain name, or the list of runs."""
    parts = PurePosixPath(entry.filename).parts
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _no_parcel(f"{entry.filename[:80]!r} is packed as no parcel is")
    if entry.filename == "runs.json":
        return
    is_plain = len(parts) == 3 and parts[0] == "files" and all(map(PLAIN_NAME.fullmatch, parts[1:]))
    if not is_plain or entry.is_dir() or ".." in entry.filename or "\\" in entry.filename:
        raise _no_parcel(f"it holds {entry.filename[:80]!r}, which is no file of a run")
    if entry.file_size > max(1_000_000, MOST_RATIO * entry.compress_size):
        raise _no_parcel(f"{entry.filename!r} would unpack to far more than it is")


def _check_size(parcel: zipfile.ZipFile) -> None:
    """Unpacked, it fits; and its entries do not lie over one another to be unpacked twice."""
    entries = parcel.infolist()
    assert parcel.fp is not None  # the archive is open
    size = parcel.fp.seek(0, io.SEEK_END)
    if sum(entry.compress_size for entry in entries) > size:
        raise _no_parcel("its entries are larger together than the file")
    if sum(entry.file_size for entry in entries) > MOST_BYTES:
        raise _no_parcel(f"it would unpack to more than {MOST_BYTES:,} bytes")


def _take_all(
    store: RunStore, parcel: zipfile.ZipFile, runs: Sequence[dict[str, Any]]
) -> list[str]:
    """Write runs into the store: all of them, or none where one cannot be written."""
    new: list[str] = []
    try:
        return [_take(store, parcel, values, new) for values in runs]
    except BaseException:
        for run_id in new:
            store.delete(run_id)
        raise


def _take(store: RunStore, parcel: zipfile.ZipFile, values: dict[str, Any], new: list[str]) -> str:
    """Write one run into the store, files first; nothing is kept of it if that fails."""
    told = values["run"]
    run_id = told["id"]
    with store.database.read() as connection:
        wanted = sa.select(tables.runs.c.request, tables.runs.c.ended).where(
            tables.runs.c.id == run_id
        )
        here = connection.execute(wanted).first()
    if here is not None:
        if here.request == told["request"] and here.ended == told["ended"]:
            return run_id
        run_id = new_id()
    folder = store.folders.run(run_id)
    try:
        _unpack(parcel, told["id"], folder)
        _insert(store, run_id, values)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    new.append(run_id)
    return run_id


def _unpack(parcel: zipfile.ZipFile, told_id: str, folder: Path) -> None:
    entries = [e for e in parcel.infolist() if e.filename.startswith(f"files/{told_id}/")]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for entry in entries:
            target = folder / PurePosixPath(entry.filename).name
            with parcel.open(entry) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise StoreError(
            f"The runs cannot be written to {folder}: {error.strerror or error}. Free some space, "
            "or allow writing there. None of them was taken over."
        ) from error


def _insert(store: RunStore, run_id: str, values: dict[str, Any]) -> None:
    with store.database.write() as connection:
        own = values["run"] | {"id": run_id, "rank": 0, "owner": store.owner}
        connection.execute(sa.insert(tables.runs).values(**own))
        for table in PARTS:
            rows = _as_rows(sent(table), values[table.name], run_id)
            if rows:
                connection.execute(sa.insert(table), rows)


def _as_rows(
    names: Sequence[str], rows: Sequence[Sequence[Any]], run_id: str
) -> list[dict[str, Any]]:
    return [dict(zip(names, row, strict=True)) | {"run_id": run_id} for row in rows]


def _no_parcel(why: str) -> StoreError:
    return StoreError(
        f"The file is no parcel of runs: {why}. Name the file that `export-runs` wrote, with the "
        "same version of the lab."
    )

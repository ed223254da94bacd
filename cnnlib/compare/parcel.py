"""Parcels: runs with all that they told, and their files, as one zip file that travels.

A parcel holds ``runs.json`` (format, and the rows of each run) and ``files/<run id>/<name>``.
Nothing in it is unpickled, and nothing is written outside the folder of its run.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any

import sqlalchemy as sa

from cnnlib.errors import CnnlibError, StoreError
from cnnlib.records.run import ENDED_STATES, RunRequest
from cnnlib.runs import tables
from cnnlib.runs.queue import new_id
from cnnlib.runs.store import RunStore

FORMAT = "cnnlab-runs-1"
MOST_RUNS = 2000
MOST_FILE_BYTES = 2_000_000_000  # of one file, unpacked
MOST_JSON_BYTES = 500_000_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
_KEPT = (tables.epochs, tables.steps, tables.interventions, tables.weights)
_LEFT_OUT = {"number", "worker_id", "rank"}


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
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as parcel:
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
    """
    try:
        with zipfile.ZipFile(source) as parcel:
            runs = _read(parcel)
            return [_take(store, parcel, values) for values in runs]
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise _no_parcel(f"it cannot be unpacked ({error})") from error
    except OSError as error:
        raise StoreError(
            f"The file {source} cannot be read: {error.strerror}. Name the file that "
            "`export-runs` wrote."
        ) from error


def _rows(store: RunStore, run_id: str, weights: bool) -> dict[str, Any]:
    """All rows of a run as plain JSON values, by table."""
    with store.database.read() as connection:
        own = connection.execute(sa.select(tables.runs).where(tables.runs.c.id == run_id)).one()
        values = {name: value for name, value in own._mapping.items() if name not in _LEFT_OUT}
        rows: dict[str, Any] = {"run": values}
        for table in _KEPT:
            if table is tables.weights and not weights:
                rows[table.name] = []
                continue
            wanted = sa.select(table).where(table.c.run_id == run_id).order_by(*table.primary_key)
            names = [name for name in table.c.keys() if name not in ("run_id", "number")]
            found = connection.execute(wanted).all()
            rows[table.name] = [[row._mapping[name] for name in names] for row in found]
        return rows


def _files(folder: Path, weights: bool) -> list[Path]:
    """What goes along of a run's folder: files with plain names, none that is half written."""
    if not folder.is_dir():
        return []
    files = [file for file in sorted(folder.iterdir()) if file.is_file()]
    return [
        file for file in files if _NAME.fullmatch(file.name) and (weights or file.suffix == ".npz")
    ]


def _read(parcel: zipfile.ZipFile) -> list[dict[str, Any]]:
    """The rows of a parcel, checked for what nobody but us would write."""
    try:
        if parcel.getinfo("runs.json").file_size > MOST_JSON_BYTES:
            raise _no_parcel("its list of runs is too long")
        content = json.loads(parcel.read("runs.json"))
        if content["format"] != FORMAT:
            raise _no_parcel(f"its format is {content['format']!r}, not {FORMAT!r}")
        runs = content["runs"]
        if not isinstance(runs, list) or len(runs) > MOST_RUNS:
            raise _no_parcel(f"it does not hold a list of at most {MOST_RUNS:,} runs")
        for values in runs:
            _check(values)
    except (KeyError, TypeError, ValueError, RecursionError, AttributeError) as error:
        raise _no_parcel(f"its list of runs cannot be read ({error!r})") from error
    for entry in parcel.infolist():
        _check_entry(entry)
    return runs


def _check(values: dict[str, Any]) -> None:
    """A run that has ended, whose request the lab understands, in rows of the right width."""
    run = values["run"]
    if set(run) != {name for name in tables.runs.c.keys() if name not in _LEFT_OUT}:
        raise _no_parcel("a run in it has other fields than this version knows")
    if not _NAME.fullmatch(run["id"]) or run["state"] not in ENDED_STATES:
        raise _no_parcel("a run in it has no proper id, or has not ended")
    try:
        RunRequest.from_dict(run["request"])
    except CnnlibError as error:
        raise _no_parcel(f"a run in it asks for what the lab does not know: {error}") from error
    for table in _KEPT:
        width = len([name for name in table.c.keys() if name not in ("run_id", "number")])
        if any(len(row) != width for row in values[table.name]):
            raise _no_parcel(f"its {table.name} have another form than this version knows")
    if any(not _NAME.fullmatch(row[0]) for row in values[tables.weights.name]):
        raise _no_parcel("a file in it has a name that files of runs do not have")


def _check_entry(entry: zipfile.ZipInfo) -> None:
    """A file of a run with a plain name, or the list of runs."""
    parts = PurePosixPath(entry.filename).parts
    if entry.filename == "runs.json":
        return
    is_plain = len(parts) == 3 and parts[0] == "files" and all(map(_NAME.fullmatch, parts[1:]))
    if not is_plain or ".." in entry.filename or "\\" in entry.filename:
        raise _no_parcel(f"it holds {entry.filename[:80]!r}, which is no file of a run")
    if entry.file_size > MOST_FILE_BYTES:
        raise _no_parcel(f"{entry.filename!r} would unpack to more than 2 GB")


def _take(store: RunStore, parcel: zipfile.ZipFile, values: dict[str, Any]) -> str:
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
    return run_id


def _unpack(parcel: zipfile.ZipFile, told_id: str, folder: Path) -> None:
    entries = [e for e in parcel.infolist() if e.filename.startswith(f"files/{told_id}/")]
    folder.mkdir(parents=True, exist_ok=True)
    for entry in entries:
        target = folder / PurePosixPath(entry.filename).name
        with parcel.open(entry) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
            file.flush()
            os.fsync(file.fileno())


def _insert(store: RunStore, run_id: str, values: dict[str, Any]) -> None:
    with store.database.write() as connection:
        own = values["run"] | {"id": run_id, "rank": 0}
        connection.execute(sa.insert(tables.runs).values(**own))
        for table in _KEPT:
            names = [name for name in table.c.keys() if name not in ("run_id", "number")]
            rows = _as_rows(names, values[table.name], run_id)
            if rows:
                connection.execute(sa.insert(table), rows)


def _as_rows(names: Sequence[str], rows: Sequence[Sequence[Any]], run_id: str) -> list[dict]:
    return [dict(zip(names, row, strict=True)) | {"run_id": run_id} for row in rows]


def _no_parcel(why: str) -> StoreError:
    return StoreError(
        f"The file is no parcel of runs: {why}. Name the file that `export-runs` wrote, with the "
        "same version of the lab."
    )

"""Uploads and prepared copies in an object store, with a copy on each machine that uses them.

Uploads have the same keys there as files below the folder of runs. The arrays of a prepared copy
lie below their fingerprint; ``info.json`` beside names the current one. All functions do nothing
where the files of the run store lie in the folder of runs.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import threading
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from cnnlib.data.paths import folder_name, is_writable, prepared_folder, search_roots, write_root
from cnnlib.errors import CnnlibError, DataError, FileMissing, StoreError
from cnnlib.records.folders import PREPARED, UPLOADS
from cnnlib.records.stored.opening import open_files

if TYPE_CHECKING:
    from collections.abc import Generator

    from cnnlib.records.folders import Folders
    from cnnlib.records.stored.files import Files

INFO = "info.json"
_UPLOADS_AT_ONCE = 8
_YOUNG_SECONDS = 600.0  # a local file may be an upload that is not stored yet
_KEEP_UP_SECONDS = 5.0


def push_upload(path: Path, folders: Folders) -> None:
    """Store a file, or all files of a folder, below the folder of uploads.

    Raises:
        FilesUnreachable: The files of the run store cannot be reached.
    """
    if not folders.files:
        return
    files = open_files(folders)

    def put(each: Path) -> None:
        files.put(each.relative_to(folders.runs).as_posix(), each)

    found = (
        [each for each in sorted(path.rglob("*")) if each.is_file()] if path.is_dir() else [path]
    )
    with ThreadPoolExecutor(_UPLOADS_AT_ONCE) as threads:
        for _ in threads.map(put, found):
            pass


def pull_uploads(folders: Folders, name: str = "") -> None:
    """Fetch the uploads that other machines stored, and delete those that were removed.

    Args:
        name: Of one dataset; "" fetches all.

    Raises:
        FilesUnreachable: The files of the run store cannot be reached.
    """
    if not folders.files:
        return
    files = open_files(folders)
    stored = {each.key: each for each in files.names(f"{UPLOADS}/") if _is_of(each.key, name)}
    for key, each in stored.items():
        path = folders.runs / key
        if not path.is_file() or path.stat().st_size != each.size_bytes:
            with suppress(FileMissing):  # removed meanwhile
                files.copy_to(key, path)
    for path in [*(folders.runs / UPLOADS).rglob("*")]:
        key = path.relative_to(folders.runs).as_posix()
        with suppress(FileNotFoundError):
            is_old = time.time() - path.stat().st_mtime > _YOUNG_SECONDS
            if path.is_file() and key not in stored and _is_of(key, name) and is_old:
                path.unlink()
                with suppress(OSError):  # it holds other files
                    path.parent.rmdir()


def remove_stored(name: str, folders: Folders) -> None:
    """Remove a dataset's upload and prepared copies.

    Raises:
        FilesUnreachable: The files of the run store cannot be reached.
    """
    if not folders.files:
        return
    files = open_files(folders)
    uploads = [each.key for each in files.names(f"{UPLOADS}/") if _is_of(each.key, name)]
    files.remove([_prepared_key(name), *uploads])


def push_prepared(name: str, folder: Path, folders: Folders) -> None:
    """Store a prepared copy, and remove the one before.

    Raises:
        FilesUnreachable: The files of the run store cannot be reached.
    """
    if not folders.files:
        return
    files, prefix = open_files(folders), _prepared_key(name)
    current = f"{prefix}{_fingerprint(folder / INFO)}/"
    for path in sorted(folder.glob("*.npy")):
        files.put(f"{current}{path.name}", path)
    files.put(f"{prefix}{INFO}", folder / INFO)
    kept = (current, f"{prefix}{INFO}")
    files.remove(e.key for e in files.names(prefix) if not e.key.startswith(kept))


def pull_prepared(name: str, folders: Folders) -> bool:
    """Fetch the stored prepared copy of a dataset, once per machine and fingerprint.

    Returns:
        Whether there is a stored one, which is here now.

    Raises:
        FilesUnreachable: The files of the run store cannot be reached.
        DataError: The disk is full, or may not be written.
    """
    if not folders.files:
        return False
    root = _root(name, folders)
    try:
        (root / PREPARED).mkdir(parents=True, exist_ok=True)
        with FileLock(root / PREPARED / f".lock-{folder_name(name)}", thread_local=False):
            return _pull_locked(name, root, open_files(folders))
    except OSError as error:
        raise DataError(
            f"The prepared copy of {name} could not be fetched to {root} ({error}). Free some "
            "space, or set CNNLAB_RUNS to another folder."
        ) from error


def _pull_locked(name: str, root: Path, files: Files) -> bool:
    prefix, final = _prepared_key(name), prepared_folder(name, root)
    new = final.with_name(f".fetching-{final.name}")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    try:
        files.copy_to(f"{prefix}{INFO}", new / INFO)
        wanted = _fingerprint(new / INFO)
        if (final / INFO).is_file() and _fingerprint(final / INFO) == wanted:
            return True
        for array in _read(new / INFO).get("arrays", {}):
            files.copy_to(f"{prefix}{wanted}/{array}.npy", new / f"{array}.npy")
        shutil.rmtree(final, ignore_errors=True)  # who has it open keeps reading it
        new.rename(final)
    except FileMissing:  # none, or replaced or removed at this moment
        return False
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return True


def keep_up(folders: Folders) -> None:
    """Fetch, in a thread, what other machines store, for the pages that list and show it."""
    if folders.files:
        threading.Thread(target=_keep_up, args=(folders,), name="datasets", daemon=True).start()


def _keep_up(folders: Folders) -> None:
    seen: dict[str, float] = {}
    while True:
        try:
            pull_uploads(folders)
            for name in _changed_names(open_files(folders), seen):
                pull_prepared(name, folders)
        except (CnnlibError, OSError) as error:  # it may be temporary
            print(error, file=sys.stderr, flush=True)
        time.sleep(_KEEP_UP_SECONDS)


def _changed_names(files: Files, seen: dict[str, float]) -> Generator[str]:
    """Yield the datasets whose prepared copy was stored since the last call."""
    for each in files.names(f"{PREPARED}/"):
        if each.key.endswith(f"/{INFO}") and seen.get(each.key) != each.modified:
            with tempfile.TemporaryDirectory() as folder, suppress(FileMissing):
                files.copy_to(each.key, copy := Path(folder, INFO))
                yield str(_read(copy)["info"]["name"])
            seen[each.key] = each.modified


def _prepared_key(name: str) -> str:
    return f"{PREPARED}/{folder_name(name)}/"


def _root(name: str, folders: Folders) -> Path:
    """Return the root in which a copy is found first, and may be written."""
    for root in search_roots(folders):
        if prepared_folder(name, root).exists():
            return root if is_writable(root / PREPARED) else folders.runs
    return write_root(folders, PREPARED)


def _is_of(key: str, name: str) -> bool:
    """Return whether an upload's key is that of a file of a dataset; of any for ""."""
    if not name:
        return True
    own = unicodedata.normalize("NFC", name.removeprefix("folder:"))
    entry = unicodedata.normalize("NFC", key.split("/", 2)[1]).strip()
    return entry in (own, f"{own}.json", f"{own}.zip", f"{own}.zip.json")


def _fingerprint(info: Path) -> str:
    return str(_read(info).get("info", {}).get("fingerprint", ""))


def _read(info: Path) -> dict[str, Any]:
    """Read a record of a prepared copy.

    Raises:
        StoreError: It is damaged.
    """
    try:
        values = json.loads(info.read_text("utf-8"))
    except ValueError as error:
        raise StoreError(
            f"The record of a prepared dataset {info} is damaged ({error}). Prepare it again."
        ) from error
    return values if isinstance(values, dict) else {}

"""Uploads of users' own datasets, disk use of datasets, and their removal."""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
import zipfile
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from errno import EACCES
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO

from cnnlib.data.catalogue import dataset_info, dataset_not_found
from cnnlib.data.image_folder.archive_reader import open_zip
from cnnlib.data.image_folder.image_formats import ZIP, format_label
from cnnlib.data.image_folder.layout import arrange
from cnnlib.data.image_folder.sources import (
    WHAT_IS_TAKEN,
    FolderOptions,
    folder_source,
    folder_sources,
)
from cnnlib.data.lock import try_lock
from cnnlib.data.paths import (
    download_folders,
    folder_name,
    is_writable,
    prepared_folder,
    roles_file,
    search_roots,
)
from cnnlib.data.stored_datasets import pull_uploads, push_upload, remove_stored
from cnnlib.errors import DataError
from cnnlib.records.files import replacing
from cnnlib.records.folders import PREPARED, UPLOADS, Folders
from cnnlib.records.run import check_dataset_name
from cnnlib.vocabulary.datasets import BUILTIN

if TYPE_CHECKING:
    from collections.abc import Generator

    from cnnlib.records.dataset import DatasetInfo

MAX_UPLOAD_BYTES = 1 << 30
_MAX_NAME_BYTES = 200  # file systems allow 255, including .zip.json
_NOT_IN_NAMES = '<>:"/\\|?*'
_COPY_BYTES = 1 << 20
_START_BYTES = 1 << 10  # enough for `format_label`


def add_folder_zip(
    file: BinaryIO | Path,
    name: str,
    folders: Folders | None = None,
    options: FolderOptions | None = None,
) -> DatasetInfo:
    """Store a zip with one folder per class as the dataset ``folder:<name>``.

    The entries are checked without decoding them (names, sizes, class folders); the zip is stored
    unchanged.

    Args:
        file: The zip, opened for reading, or its path.
        name: Name of the dataset without ``folder:``; unique, ignoring case.
        options: Size and channels of the prepared pictures.

    Raises:
        DataError: The name is invalid or taken, or the zip is refused. Nothing is stored then.
    """
    folders = folders or Folders.from_environment()
    options = options or FolderOptions()
    pull_uploads(folders)  # names that are taken on other machines
    name = _check_name(name, folders)
    target = folders.runs / UPLOADS / f"{name}.zip"
    options_file = target.with_name(f"{target.name}.json")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as undo:
            with replacing(target) as copy:
                _copy_checked(file, copy, _file_name(file, name))
                _reserve(target)
                undo.callback(target.unlink, missing_ok=True)
                undo.callback(options_file.unlink, missing_ok=True)
                options_file.write_text(json.dumps(options.to_dict()), encoding="utf-8")
            push_upload(options_file, folders)
            push_upload(target, folders)
            undo.pop_all()
    except OSError as error:
        raise DataError(
            f"The zip {name!r} could not be copied to {target.parent} ({error}). Free some space, "
            "and try again."
        ) from error
    return dataset_info(f"folder:{name}", folders)


def _check_name(name: str, folders: Folders) -> str:
    name = unicodedata.normalize("NFC", name.strip())
    is_plain = name.isprintable() and not set(name) & set(_NOT_IN_NAMES)
    if not name or not is_plain or name.startswith(".") or name.endswith("."):
        raise DataError(
            f"{name[:100]!r} is not a valid dataset name. A name must not be empty, contain any of "
            f"{' '.join(_NOT_IN_NAMES)}, or start or end with a dot. Choose another name."
        )
    if len(name) > 100 or len(name.encode()) > _MAX_NAME_BYTES:
        raise DataError(
            f"The name {name[:20]!r}... has {len(name):,} characters, too many for a file name. "
            "Choose a shorter name."
        )
    taken = {source.name.casefold(): source for source in folder_sources(folders)}
    other = taken.get(f"folder:{name}".casefold())
    if other is not None:
        raise _name_taken(other.name, other.path)
    return name


def _reserve(target: Path) -> None:
    """Create the file.

    Raises:
        DataError: The file exists: the name was taken in the meantime.
    """
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL, 0o644))
    except FileExistsError as error:
        raise _name_taken(f"folder:{target.stem}", target) from error


def _name_taken(name: str, path: Path) -> DataError:
    return DataError(
        f"There is already a dataset {name}, in {path}. "
        "Choose another name, or remove the existing dataset first."
    )


def _file_name(file: BinaryIO | Path, name: str) -> str:
    """Return the name that a person knows the file by."""
    given = getattr(file, "name", None)  # a path has one, and so has an upload
    return Path(given).name if isinstance(given, str) else f"{name}.zip"


def _copy_checked(file: BinaryIO | Path, copy: Path, file_name: str) -> None:
    """Copy the zip, and check the copy.

    Raises:
        DataError: It cannot be taken; the sentences name the file, its format and what can be.
    """
    source = file.open("rb") if isinstance(file, Path) else nullcontext(file)
    with source as opened, copy.open("xb") as out:
        _copy_bounded(opened, out)
    with copy.open("rb") as start:
        label = format_label(start.read(_START_BYTES))
    if label != ZIP and not zipfile.is_zipfile(copy):
        found = f"{label}, not a zip" if label else "not a zip"
        raise DataError(f"{file_name} was not taken: it is {found}. {WHAT_IS_TAKEN}")
    with open_zip(copy, file_name) as files:
        try:
            arrange(files.paths, files.folders)
        except DataError as error:
            raise DataError(f"{file_name} was not taken. {error}") from error


def _copy_bounded(file: IO[bytes], copy: IO[bytes]) -> None:
    size = 0
    while part := file.read(_COPY_BYTES):
        size += len(part)
        if size > MAX_UPLOAD_BYTES:
            raise DataError(
                f"The zip has more than {MAX_UPLOAD_BYTES:,} bytes, the maximum for an upload. "
                "Use smaller pictures, or copy the zip to the data folder."
            )
        copy.write(part)


@dataclass(frozen=True)
class DiskUse:
    """Disk use of a dataset.

    Args:
        prepared_bytes: Size of the prepared copies.
        download_bytes: Size of the downloaded files.
        upload_bytes: Size of the upload.
        own_path: Path of the user's files in the data folder, which are never removed; "" if none.
    """

    prepared_bytes: int
    download_bytes: int
    upload_bytes: int
    own_path: str

    @property
    def removable_bytes(self) -> int:
        """Bytes that removing the dataset frees."""
        return self.prepared_bytes + self.download_bytes + self.upload_bytes


def disk_use(name: str, folders: Folders | None = None) -> DiskUse:
    """Measure the disk use of a dataset."""
    folders = folders or Folders.from_environment()
    check_dataset_name(name)
    source = folder_source(name, folders) if name not in BUILTIN else None
    return DiskUse(
        prepared_bytes=sum(map(_bytes_below, _prepared(name, folders))),
        download_bytes=sum(map(_bytes_below, download_folders(name, folders))),
        upload_bytes=_bytes_below(source.path) if source and source.uploaded else 0,
        own_path=str(source.path) if source and not source.uploaded else "",
    )


def remove_dataset(name: str, folders: Folders | None = None) -> DiskUse:
    """Remove the prepared copies, the downloads and the upload of a dataset.

    The user's files in the data folder are kept. Runs that train on the copy continue, because they
    have it open.

    Returns:
        The disk use before the removal.

    Raises:
        DataError: There is no such dataset, it is being prepared, or it cannot be removed.
    """
    folders = folders or Folders.from_environment()
    use = disk_use(name, folders)
    source = folder_source(name, folders) if name not in BUILTIN else None
    if name not in BUILTIN and source is None and not use.removable_bytes:
        raise dataset_not_found(name, folders)
    with _locked(name, folders):
        remove_stored(name, folders)
        try:
            roles = [roles_file(name, root) for root in search_roots(folders)]
            for path in (*_prepared(name, folders), *download_folders(name, folders), *roles):
                _remove(path)
            if source is not None and source.uploaded:
                _remove(source.path)
                _remove(source.options_file)
        except OSError as error:
            raise DataError(
                f"{name} could not be removed ({error}). Allow writing there, and try again."
            ) from error
    return use


def _prepared(name: str, folders: Folders) -> list[Path]:
    return [prepared_folder(name, root) for root in search_roots(folders)]


@contextmanager
def _locked(name: str, folders: Folders) -> Generator[None]:
    """Hold the locks of a dataset's preparation in all roots.

    Raises:
        DataError: The dataset is being prepared.
    """
    with ExitStack() as held:
        for root in search_roots(folders):
            path = root / PREPARED / f".lock-{folder_name(name)}"
            if path.exists() and is_writable(path.parent):
                lock = try_lock(path)
                if lock is None:
                    raise DataError(
                        f"{name} is being prepared. Wait, or stop the preparation, then remove it."
                    )
                held.callback(lock.release)
        yield


def _bytes_below(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):  # removed in the meantime
                total += os.lstat(os.path.join(folder, name)).st_size
    return total


def _remove(path: Path) -> None:
    if path.exists() and not is_writable(path.parent):
        raise PermissionError(EACCES, "The folder is read-only", str(path.parent))
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

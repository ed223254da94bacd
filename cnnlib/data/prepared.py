"""The prepared copy of a dataset: four ``.npy`` arrays, memory-mapped, and an ``info.json``.

::

    prepared/<name>/info.json             the dataset's metadata, each array's shape and size
                    train_images.npy      N x C x H x W, uint8
                    train_labels.npy      N, int64
                    test_images.npy       M x C x H x W, uint8
                    test_labels.npy       M, int64
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlib.data.fingerprint import fingerprint
from cnnlib.data.image_folder.sources import FolderOptions, FolderSource, folder_source
from cnnlib.data.paths import prepare_command, prepared_folder, roles_file, search_roots, write_root
from cnnlib.data.stored_datasets import pull_prepared
from cnnlib.design.checks import shown
from cnnlib.errors import DataError, RecipeError
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.files import replacing
from cnnlib.records.folders import PREPARED, Folders
from cnnlib.records.run import check_dataset_name

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

VERSION = 1
INFO_FILE = "info.json"
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
_DTYPES = {name: "|u1" if name.endswith("images") else "<i8" for name in ARRAYS}
# Errors of reading a record that is incomplete or was not written by this module.
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecipeError)


@dataclass(frozen=True)
class SkippedPicture:
    """A file that could not be used, and the reason."""

    path: str
    reason: str


@dataclass(frozen=True, eq=False)
class Prepared:
    """A dataset that is ready to train on; its arrays are read-only views of files.

    Args:
        train_images: N x C x H x W, uint8.
        train_labels: N, int64, 0..classes-1.
        test_images: M x C x H x W, uint8; M may be 0.
        test_labels: M, int64.
        folder: Folder of the four arrays.
        skipped: Files that could not be used, the first 1,000 of them.
    """

    info: DatasetInfo
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    folder: Path
    skipped: tuple[SkippedPicture, ...] = ()

    def split_arrays(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the pictures and the labels of "train", "validation" or "test".

        "train" is without the dataset's own validation split, which are the last training pictures.
        """
        if split == "test":
            return self.test_images, self.test_labels
        start = self.info.fitted_count
        part = slice(start) if split == "train" else slice(start, None)
        return self.train_images[part], self.train_labels[part]

    def verify(self) -> None:
        """Recompute the fingerprint from all arrays and compare it with the stored one.

        Raises:
            DataError: They differ.
        """
        arrays = (self.train_images, self.train_labels, self.test_images, self.test_labels)
        own = self.info.validation_count
        found = fingerprint(self.info.classes, *arrays, validation_count=own)
        if found != self.info.fingerprint:
            raise _damaged(self.info.name, self.folder, "its content has changed")


@dataclass(frozen=True)
class PreparedRecord:
    """Content of ``info.json``.

    Args:
        arrays: Shape and size in bytes of each array.
        source_state: State of the source when it was read, to detect later changes.
    """

    info: DatasetInfo
    arrays: Mapping[str, Mapping[str, Any]]
    source_state: Mapping[str, Any]
    skipped: tuple[SkippedPicture, ...]


def load_prepared(name: str, folders: Folders | None = None) -> Prepared:
    """Open the prepared copy of a dataset; its arrays are memory-mapped.

    Raises:
        RecipeError: The name is not a valid dataset name.
        DataError: There is no prepared copy, it is damaged, or the source has changed.
    """
    folders = folders or Folders.from_environment()
    if folders.files and not is_prepared(name, folders):
        pull_prepared(name, folders)
    problems: list[DataError] = []
    for folder in prepared_copies(name, folders):
        try:
            check_current(name, read_record(name, folder), folders)
            return open_prepared(name, folder)
        except DataError as error:
            problems.append(error)
    if problems:
        raise problems[0]
    raise DataError(
        f"There is no prepared copy of {name} in {folders.data} or {folders.runs}, and training "
        f"needs one. Prepare it on the Data page, or with {prepare_command(name)}."
    )


def is_prepared(name: str, folders: Folders | None = None) -> bool:
    """Return whether there is a complete prepared copy and its source has not changed."""
    return current_record(name, folders or Folders.from_environment()) is not None


def current_record(name: str, folders: Folders) -> PreparedRecord | None:
    """Return the record of the copy that `load_prepared` opens; None if that raises DataError."""
    for folder in prepared_copies(name, folders):
        try:
            record = read_record(name, folder)
            check_current(name, record, folders)
        except DataError:
            continue
        return record
    return None


def check_current(name: str, record: PreparedRecord, folders: Folders) -> None:
    """Check that the source of a copy has not changed; a source that was removed is accepted.

    Raises:
        DataError: It has changed.
    """
    source = folder_source(name, folders) if name.startswith("folder:") else None
    if source is not None and not source.matches_state(record.source_state):
        raise DataError(
            f"The pictures of {name} in {source.path} changed after the dataset was prepared. "
            f"Prepare it again on the Data page, or with {prepare_command(name)}."
        )


def folder_options(source: FolderSource, folders: Folders) -> FolderOptions:
    """Return the options of the last preparation, else those that were set at upload.

    Roles that were stored since then are among them; see `store_roles`.
    """
    options = _recorded_options(source, folders)
    for root in search_roots(folders):
        with suppress(OSError, ValueError, RecipeError):  # none, or not written by `store_roles`
            roles = json.loads(roles_file(source.name, root).read_text("utf-8"))
            return replace(options, roles=roles)
    return options


def store_roles(name: str, roles: Mapping[str, str], folders: Folders) -> None:
    """Store what a person said about folders, until the dataset is prepared with it."""
    path = roles_file(name, write_root(folders, PREPARED))
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write_text(json.dumps(dict(roles)), encoding="utf-8")


def _recorded_options(source: FolderSource, folders: Folders) -> FolderOptions:
    for folder in prepared_copies(source.name, folders):
        with suppress(DataError, KeyError, ValueError, RecipeError):
            return FolderOptions.from_source(read_record(source.name, folder).info.source)
    if source.uploaded and source.options_file.is_file():
        with suppress(OSError, ValueError, RecipeError):
            return FolderOptions.from_dict(json.loads(source.options_file.read_text("utf-8")))
    return FolderOptions()


def stored_options(name: str, folders: Folders) -> FolderOptions:
    """Return the options of a user's own dataset, by its name; see `folder_options`."""
    source = folder_source(name, folders)
    return folder_options(source, folders) if source else FolderOptions()


def changed_options(name: str, changes: Mapping[str, Any], folders: Folders) -> FolderOptions:
    """Return the options of a user's own dataset with some of them changed.

    Raises:
        RecipeError: A change is not a valid option.
    """
    return FolderOptions.from_dict(stored_options(name, folders).to_dict() | dict(changes))


def prepared_copies(name: str, folders: Folders) -> Generator[Path]:
    """Yield the folders that hold a prepared copy, in search order."""
    check_dataset_name(name)
    for root in search_roots(folders):
        folder = prepared_folder(name, root)
        if (folder / INFO_FILE).is_file():
            yield folder


def open_prepared(name: str, folder: Path) -> Prepared:
    """Open the prepared copy in ``folder``.

    Raises:
        DataError: It is damaged or of another dataset.
    """
    record = read_record(name, folder)
    arrays = {array: _open_array(name, folder, array, record.arrays[array]) for array in ARRAYS}
    return Prepared(info=record.info, folder=folder, skipped=record.skipped, **arrays)


def read_record(name: str, folder: Path) -> PreparedRecord:
    """Read ``info.json`` and check the sizes of the files beside it.

    Raises:
        DataError: It is damaged, of another version or of another dataset.
    """
    try:
        values = json.loads((folder / INFO_FILE).read_text(encoding="utf-8"))
        version, info = values["version"], info_from_dict(values["info"])
        arrays = {array: _array_spec(values["arrays"][array]) for array in ARRAYS}
        skipped = tuple(SkippedPicture(*entry) for entry in values["skipped"])
        record = PreparedRecord(info, arrays, dict(values["seen"]), skipped)
    except _UNREADABLE as error:
        reason = f"{INFO_FILE} cannot be read ({str(error)[:200]})"
        raise _damaged(name, folder, reason) from error
    if version != VERSION:
        raise _damaged(name, folder, f"it has version {shown(version)} instead of {VERSION}")
    if info.name != name:
        raise _damaged(name, folder, f"it contains the dataset {shown(info.name)}")
    for array, spec in arrays.items():
        _check_size(name, folder, array, spec["bytes"])
    return record


def write_record(folder: Path, record: PreparedRecord) -> None:
    """Write ``info.json``."""
    values = {
        "version": VERSION,
        "info": record.info.to_dict(),
        "arrays": record.arrays,
        "seen": record.source_state,
        "skipped": [[entry.path, entry.reason] for entry in record.skipped],
    }
    text = json.dumps(values, indent=1)  # ASCII: a file name may be invalid UTF-8
    (folder / INFO_FILE).write_text(text + "\n", encoding="utf-8")


def info_from_dict(values: Mapping[str, Any]) -> DatasetInfo:
    """Build a ``DatasetInfo`` from JSON values, with lists converted to tuples."""
    info = DatasetInfo.from_dict(values)
    channels, height, width = info.in_size
    return replace(
        info,
        in_size=(int(channels), int(height), int(width)),
        classes=tuple(str(name) for name in info.classes),
        mean=tuple(float(value) for value in info.mean),
        std=tuple(float(value) for value in info.std),
        warnings=tuple(str(warning) for warning in info.warnings),
    )


def _array_spec(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the shape and the size in bytes of one array."""
    return {"shape": [int(side) for side in values["shape"]], "bytes": int(values["bytes"])}


def _check_size(name: str, folder: Path, array: str, size: int) -> None:
    path = folder / f"{array}.npy"
    found = path.stat().st_size if path.is_file() else None
    if found != size:
        problem = "is missing" if found is None else f"has {found:,} bytes instead of {size:,}"
        raise _damaged(name, folder, f"{path.name} {problem}")


def _open_array(name: str, folder: Path, array: str, spec: Mapping[str, Any]) -> np.ndarray:
    try:
        values = np.load(folder / f"{array}.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise _damaged(name, folder, f"{array}.npy cannot be read ({error})") from error
    if list(values.shape) != spec["shape"] or values.dtype.str != _DTYPES[array]:
        found = f"{values.dtype.str} of shape {list(values.shape)}"
        raise _damaged(
            name, folder, f"{array}.npy is {found} instead of {_DTYPES[array]} {spec['shape']}"
        )
    return values


def _damaged(name: str, folder: Path, problem: str) -> DataError:
    return DataError(
        f"The prepared copy of {name} in {folder} is damaged: {problem}. "
        f"Prepare it again on the Data page, or with {prepare_command(name)}."
    )

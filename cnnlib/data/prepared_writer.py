"""Write a prepared copy: the arrays in a temporary folder, then the record, then one rename."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlib.data.fingerprint import fingerprint, mean_and_std
from cnnlib.data.paths import folder_name, prepared_folder
from cnnlib.data.prepared import ARRAYS, PreparedRecord, SkippedPicture, write_record
from cnnlib.data.statistics import class_warnings, count_labels
from cnnlib.errors import DataError
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.folders import PREPARED

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class PreparedContent:
    """Metadata of a dataset whose four arrays have been written.

    Args:
        source_state: `FolderSource.state` of the source; empty for a built-in dataset.
        validation_count: See `DatasetInfo`.
    """

    title: str
    classes: tuple[str, ...]
    note: str = ""
    source: Mapping[str, str] = field(default_factory=dict)
    source_state: Mapping[str, Any] = field(default_factory=dict)
    skipped: tuple[SkippedPicture, ...] = ()
    validation_count: int = 0


@contextmanager
def temporary_folder(name: str, root: Path) -> Generator[Path]:
    """Create a temporary folder for a copy, and remove it at the end unless it was renamed.

    The caller holds the lock of the dataset, so the folder of an interrupted process is removed
    first.
    """
    folder = root / PREPARED / f".making-{folder_name(name)}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def save_array(folder: Path, array: str, values: np.ndarray) -> None:
    """Write one of the four arrays: images as uint8, labels as int64."""
    dtype = "|u1" if array.endswith("images") else "<i8"
    np.save(folder / f"{array}.npy", np.ascontiguousarray(values, dtype=dtype), allow_pickle=False)


def write_info(folder: Path, name: str, content: PreparedContent) -> DatasetInfo:
    """Compute mean, deviation and fingerprint of the arrays in ``folder``; write ``info.json``.

    Raises:
        DataError: There are no training pictures.
    """
    arrays = {array: np.load(folder / f"{array}.npy", mmap_mode="r") for array in ARRAYS}
    train_images, test_images = arrays["train_images"], arrays["test_images"]
    if not len(train_images):
        raise DataError(
            f"{name} has no training pictures, but training needs at least one. Add pictures."
        )
    counts = count_labels(
        content.classes,
        arrays["train_labels"],
        arrays["test_labels"],
        content.validation_count,
    )
    mean, std = mean_and_std(train_images)
    sizes = {array: (folder / f"{array}.npy").stat().st_size for array in ARRAYS}
    info = DatasetInfo(
        name=name,
        title=content.title,
        in_size=tuple(train_images.shape[1:]),
        classes=content.classes,
        train_count=len(train_images),
        test_count=len(test_images),
        state="prepared",
        size_bytes=sum(sizes.values()),
        validation_count=content.validation_count,
        fingerprint=fingerprint(
            content.classes,
            *(arrays[array] for array in ARRAYS),
            validation_count=content.validation_count,
        ),
        mean=mean,
        std=std,
        note=content.note,
        source=dict(content.source),
        warnings=class_warnings(counts),
    )
    specs = {array: {"shape": list(arrays[array].shape), "bytes": sizes[array]} for array in ARRAYS}
    write_record(folder, PreparedRecord(info, specs, content.source_state, content.skipped))
    return info


def publish(folder: Path, name: str, root: Path) -> None:
    """Rename a complete copy to its final name, replacing an older one.

    Processes that have the older copy open keep reading it.
    """
    for path in folder.iterdir():
        _flush(path)
    final = prepared_folder(name, root)
    old = final.with_name(f".old-{final.name}")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    folder.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def _flush(path: Path) -> None:
    """Flush a file to the disk, so that it is complete after a power failure."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())

"""Writing a prepared copy: arrays into a folder of its own, then the record, then one rename."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cnnlib.data.fingerprint import fingerprint, mean_and_std
from cnnlib.data.paths import PREPARED, folder_name, prepared_folder
from cnnlib.data.prepared import ARRAYS, PreparedRecord, SkippedPicture, write_record
from cnnlib.errors import DataError
from cnnlib.records.dataset import DatasetInfo

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class PreparedContent:
    """What is known about a dataset whose four arrays have just been written.

    Args:
        seen: What the source looked like (``OwnSource.seen``); empty where it cannot change.
    """

    title: str
    classes: tuple[str, ...]
    note: str = ""
    source: Mapping[str, str] = field(default_factory=dict)
    seen: Mapping[str, Any] = field(default_factory=dict)
    skipped: tuple[SkippedPicture, ...] = ()


@contextmanager
def temporary_folder(name: str, place: Path) -> Generator[Path]:
    """A folder for a copy in the making; whatever is still in it at the end is removed.

    The caller holds the lock of the dataset, so what an earlier process left behind can go.
    """
    folder = place / PREPARED / f".making-{folder_name(name)}"
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


def finish(folder: Path, name: str, made: PreparedContent) -> DatasetInfo:
    """Measure the four arrays in ``folder`` and write ``info.json`` beside them."""
    arrays = {array: np.load(folder / f"{array}.npy", mmap_mode="r") for array in ARRAYS}
    train_images, test_images = arrays["train_images"], arrays["test_images"]
    if not len(train_images):
        raise DataError(
            f"{name} has no training pictures, and a network needs at least one. Add pictures."
        )
    mean, std = mean_and_std(train_images)
    sizes = {array: (folder / f"{array}.npy").stat().st_size for array in ARRAYS}
    info = DatasetInfo(
        name=name,
        title=made.title,
        in_size=tuple(train_images.shape[1:]),
        classes=made.classes,
        train_count=len(train_images),
        test_count=len(test_images),
        state="prepared",
        size_bytes=sum(sizes.values()),
        fingerprint=fingerprint(made.classes, *(arrays[array] for array in ARRAYS)),
        mean=mean,
        std=std,
        note=made.note,
        source=dict(made.source),
    )
    looks = {array: {"shape": list(arrays[array].shape), "bytes": sizes[array]} for array in ARRAYS}
    write_record(folder, PreparedRecord(info, looks, made.seen, made.skipped))
    return info


def publish(folder: Path, name: str, place: Path) -> None:
    """Give a finished copy its name, in place of an older one; who reads the older one keeps it."""
    for path in folder.iterdir():
        _flush(path)
    final = prepared_folder(name, place)
    old = final.with_name(f".old-{final.name}")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    folder.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def _flush(path: Path) -> None:
    """Make the system write a file to the disk, so that a power cut leaves none with holes."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())

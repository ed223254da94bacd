"""The published datasets' files: found or downloaded; MNIST's are read here, CIFAR's elsewhere."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from cnnlib.data.builtin.datasets import IDX_NAMES, BuiltinDataset, RemoteFile
from cnnlib.data.builtin.download import download
from cnnlib.data.builtin.idx import PUBLISHED_MD5, read_idx
from cnnlib.data.paths import DOWNLOADS, download_folders, folder_name, home
from cnnlib.data.prepared_writer import PreparedContent, save_array
from cnnlib.errors import DataError
from cnnlib.records.job import Progress

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import numpy as np

    from cnnlib.records.folders import Folders

_DOWNLOADED_FRACTION = 0.8  # of the whole work, where something is to be downloaded


def is_here(known: BuiltinDataset, folders: Folders) -> bool:
    """Whether the dataset's files are there, so that nothing need be downloaded."""
    if known.form == "cifar" and (folders.data / known.folder).is_dir():
        return True
    return all(
        any(path.is_file() for path in _may_lie(known, file, folders)) for file in known.files
    )


def here_bytes(known: BuiltinDataset, folders: Folders) -> int:
    """Size of the dataset's files that are there, unpacked or as published."""
    if known.form == "cifar" and (folders.data / known.folder).is_dir():
        return sum(path.stat().st_size for path in (folders.data / known.folder).iterdir())
    found = (
        next((path for path in _may_lie(known, file, folders) if path.is_file()), None)
        for file in known.files
    )
    return sum(path.stat().st_size for path in found if path)


def make_idx(
    known: BuiltinDataset, folders: Folders, folder: Path
) -> Generator[Progress, None, PreparedContent]:
    """Write the four arrays of MNIST or Fashion-MNIST into ``folder``.

    Raises:
        DataError: The files are neither there nor to be had, or are damaged.
    """
    yield from fetch_missing(known, folders)
    arrays, others = {}, []
    for name, file in zip(IDX_NAMES, known.files, strict=True):
        yield Progress(_DOWNLOADED_FRACTION, f"reading {name}")
        arrays[name], md5 = read_idx(found_file(known, file, folders))
        if known.name == "mnist" and md5 != PUBLISHED_MD5[name]:
            others.append(name)
    for split, (images, labels) in zip(
        ("train", "test"), (IDX_NAMES[:2], IDX_NAMES[2:]), strict=True
    ):
        _check_pair(known, images, arrays[images], labels, arrays[labels])
        yield Progress(0.9, f"writing the {split} split of {known.title}")
        save_array(folder, f"{split}_images", arrays[images][:, None])  # N x 1 x 28 x 28
        save_array(folder, f"{split}_labels", arrays[labels])
    note = f"Not the published files: {', '.join(others)}." if others else known.note
    return PreparedContent(known.title, known.classes, note, {"kind": known.form})


def _check_pair(
    known: BuiltinDataset, image_name: str, images: np.ndarray, label_name: str, labels: np.ndarray
) -> None:
    if images.ndim != 3 or images.shape[1:] != known.in_size[1:]:
        found = " x ".join(map(str, images.shape))
        raise DataError(
            f"{image_name} holds {found} values, but {known.title} has pictures of 28 x 28. "
            "Put the real file there, or remove it to have it downloaded."
        )
    if labels.shape != images.shape[:1] or (labels.size and labels.max() >= len(known.classes)):
        raise DataError(
            f"{label_name} does not fit {image_name}: {len(images):,} pictures need as many labels "
            f"from 0 to {len(known.classes) - 1}. Put files of the same dataset there."
        )


def fetch_missing(known: BuiltinDataset, folders: Folders) -> Generator[Progress]:
    """Download the published files that are not there.

    Raises:
        DataError: One of them could not be downloaded.
    """
    target = home(folders, DOWNLOADS) / DOWNLOADS / folder_name(known.name)
    before = 0
    for file in known.files:
        if _find(known, file, folders) is None:
            target.mkdir(parents=True, exist_ok=True)
            for progress in download(known, file, target / file.name, before):
                yield replace(progress, fraction=_DOWNLOADED_FRACTION * progress.fraction)
        before += file.size_bytes


def _find(known: BuiltinDataset, file: RemoteFile, folders: Folders) -> Path | None:
    """The file unpacked, or as it was published; a packed one with another MD5 is not the file."""
    for path in _may_lie(known, file, folders):
        if path.is_file() and (path.name != file.name or _md5(path) == file.md5):
            return path
    return None


def found_file(known: BuiltinDataset, file: RemoteFile, folders: Folders) -> Path:
    """Where one of the dataset's files lies, after ``fetch_missing``.

    Raises:
        DataError: It was removed in the meantime.
    """
    path = _find(known, file, folders)
    if path is None:
        raise DataError(
            f"{file.name} of {known.title} was there a moment ago, and is gone or was changed. "
            "Prepare the dataset again."
        )
    return path


def _may_lie(known: BuiltinDataset, file: RemoteFile, folders: Folders) -> Generator[Path]:
    if known.form == "idx":
        yield folders.data / known.folder / file.name.removesuffix(".gz")
        yield folders.data / known.folder / file.name
    else:
        yield folders.data / file.name
    for folder in download_folders(known.name, folders):
        yield folder / file.name


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

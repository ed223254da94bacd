"""Find or download the files of built-in datasets, and prepare MNIST and Fashion-MNIST."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from cnnlib.data.builtin.download import download
from cnnlib.data.builtin.idx import PUBLISHED_MD5, read_idx
from cnnlib.data.paths import DOWNLOADS, download_folders, folder_name, write_root
from cnnlib.data.prepared_writer import PreparedContent, save_array
from cnnlib.errors import DataError
from cnnlib.records.job import Progress
from cnnlib.vocabulary.datasets import IDX_NAMES, BuiltinDataset, RemoteFile

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import numpy as np

    from cnnlib.records.folders import Folders

_DOWNLOADED_FRACTION = 0.8  # progress at the end of a download


def is_available(dataset: BuiltinDataset, folders: Folders) -> bool:
    """Return whether all files of the dataset exist, so that nothing is downloaded."""
    if dataset.form == "cifar" and (folders.data / dataset.folder).is_dir():
        return True
    return all(
        any(path.is_file() for path in _candidate_paths(dataset, file, folders))
        for file in dataset.files
    )


def available_bytes(dataset: BuiltinDataset, folders: Folders) -> int:
    """Return the size of the dataset's existing files, unpacked or as published."""
    if dataset.form == "cifar" and (folders.data / dataset.folder).is_dir():
        return sum(path.stat().st_size for path in (folders.data / dataset.folder).iterdir())
    found = (
        next((path for path in _candidate_paths(dataset, file, folders) if path.is_file()), None)
        for file in dataset.files
    )
    return sum(path.stat().st_size for path in found if path)


def prepare_idx(
    dataset: BuiltinDataset, folders: Folders, folder: Path
) -> Generator[Progress, None, PreparedContent]:
    """Write the four arrays of MNIST or Fashion-MNIST to ``folder``.

    Raises:
        DataError: The files are missing and cannot be downloaded, or they are damaged.
    """
    yield from fetch_missing(dataset, folders)
    arrays, unpublished = {}, []
    for name, file in zip(IDX_NAMES, dataset.files, strict=True):
        yield Progress(_DOWNLOADED_FRACTION, f"reading {name}")
        arrays[name], md5 = read_idx(found_file(dataset, file, folders))
        if dataset.name == "mnist" and md5 != PUBLISHED_MD5[name]:
            unpublished.append(name)
    for split, (images, labels) in zip(
        ("train", "test"), (IDX_NAMES[:2], IDX_NAMES[2:]), strict=True
    ):
        _check_pair(dataset, images, arrays[images], labels, arrays[labels])
        yield Progress(0.9, f"writing the {split} split of {dataset.title}")
        save_array(folder, f"{split}_images", arrays[images][:, None])  # N x 1 x 28 x 28
        save_array(folder, f"{split}_labels", arrays[labels])
    note = (
        f"These files differ from the published ones: {', '.join(unpublished)}."
        if unpublished
        else dataset.note
    )
    return PreparedContent(dataset.title, dataset.classes, note, {"kind": dataset.form})


def _check_pair(
    dataset: BuiltinDataset,
    image_name: str,
    images: np.ndarray,
    label_name: str,
    labels: np.ndarray,
) -> None:
    if images.ndim != 3 or images.shape[1:] != dataset.in_size[1:]:
        found = " x ".join(map(str, images.shape))
        raise DataError(
            f"{image_name} has values of shape {found}, but {dataset.title} has pictures of "
            "28 x 28 pixels. Replace it with the original file, or delete it to download it again."
        )
    if labels.shape != images.shape[:1] or (labels.size and labels.max() >= len(dataset.classes)):
        raise DataError(
            f"{label_name} does not match {image_name}: {len(images):,} pictures need as many "
            f"labels from 0 to {len(dataset.classes) - 1}. Use files of the same dataset."
        )


def fetch_missing(dataset: BuiltinDataset, folders: Folders) -> Generator[Progress]:
    """Download the missing files of a dataset.

    Raises:
        DataError: One of them could not be downloaded.
    """
    target = write_root(folders, DOWNLOADS) / DOWNLOADS / folder_name(dataset.name)
    before = 0
    for file in dataset.files:
        if _find(dataset, file, folders) is None:
            target.mkdir(parents=True, exist_ok=True)
            for progress in download(dataset, file, target / file.name, before):
                yield replace(progress, fraction=_DOWNLOADED_FRACTION * progress.fraction)
        before += file.size_bytes


def _find(dataset: BuiltinDataset, file: RemoteFile, folders: Folders) -> Path | None:
    """Return the path of the file, unpacked or as published; a packed file must have its MD5."""
    for path in _candidate_paths(dataset, file, folders):
        if path.is_file() and (path.name != file.name or _md5(path) == file.md5):
            return path
    return None


def found_file(dataset: BuiltinDataset, file: RemoteFile, folders: Folders) -> Path:
    """Return the path of one of the dataset's files, after `fetch_missing`.

    Raises:
        DataError: It was removed or changed in the meantime.
    """
    path = _find(dataset, file, folders)
    if path is None:
        raise DataError(
            f"{file.name} of {dataset.title} was removed or changed during the preparation. "
            "Prepare the dataset again."
        )
    return path


def _candidate_paths(
    dataset: BuiltinDataset, file: RemoteFile, folders: Folders
) -> Generator[Path]:
    if dataset.form == "idx":
        yield folders.data / dataset.folder / file.name.removesuffix(".gz")
        yield folders.data / dataset.folder / file.name
    else:
        yield folders.data / file.name
    for folder in download_folders(dataset.name, folders):
        yield folder / file.name


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

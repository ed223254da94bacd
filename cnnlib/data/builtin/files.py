"""Find or download the files of built-in datasets, and prepare MNIST, Fashion-MNIST and CIFAR."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from cnnlib.data.builtin.cifar import read_cifar
from cnnlib.data.builtin.cifar_checks import CifarChecks
from cnnlib.data.builtin.download import download
from cnnlib.data.builtin.idx import PUBLISHED_MD5, read_idx, summarise_idx
from cnnlib.data.paths import DOWNLOADS, download_folders, folder_name, write_root
from cnnlib.data.prepared_writer import PreparedContent, save_array
from cnnlib.errors import DataError
from cnnlib.records.job import Progress
from cnnlib.vocabulary.datasets import IDX_NAMES, BuiltinDataset, RemoteFile

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    import numpy as np

    from cnnlib.records.folders import Folders

_DOWNLOADED_FRACTION = 0.8  # progress at the end of a download


def found_files(
    dataset: BuiltinDataset, folders: Folders, *, may_read: bool = True
) -> list[Path | None]:
    """Find the dataset's files by name and content; None for each one that has to be downloaded.

    The catalogue and the preparation both ask this function, so they agree. A file may be packed
    again or unpacked; for CIFAR, the file is the archive or its unpacked folder.

    Args:
        may_read: Read CIFAR's files that no process has read yet, which takes seconds; otherwise
            they count as found. See `is_checked`.

    Raises:
        DataError: A file has the right name, but its content cannot be used.
    """
    found = [_find(dataset, file, folders, may_read) for file in dataset.files]
    if dataset.form == "idx":
        for images, labels in (found[:2], found[2:]):
            if images is not None and labels is not None:
                _check_pair(dataset, images, labels)
    return found


def found_bytes(paths: Sequence[Path | None]) -> int:
    """Return the size of the found files on the disk."""
    files = [path.iterdir() if path.is_dir() else [path] for path in paths if path is not None]
    return sum(path.stat().st_size for several in files for path in several)


def prepare_idx(
    dataset: BuiltinDataset, folders: Folders, folder: Path
) -> Generator[Progress, None, PreparedContent]:
    """Write the four arrays of MNIST or Fashion-MNIST to ``folder``.

    Raises:
        DataError: The files are missing and cannot be downloaded, or they are damaged.
    """
    paths = yield from fetch_missing(dataset, folders)
    arrays: dict[str, np.ndarray] = {}
    differing = []
    for name, file, path in zip(IDX_NAMES, dataset.files, paths, strict=True):
        yield Progress(_DOWNLOADED_FRACTION, f"reading {path.name}")
        arrays[name], md5 = read_idx(path)
        if not _is_published(dataset, name, md5) and _md5(path) != file.md5:
            differing.append(path.name)
    for split, (images, labels) in zip(
        ("train", "test"), (IDX_NAMES[:2], IDX_NAMES[2:]), strict=True
    ):
        yield Progress(0.9, f"writing the {split} split of {dataset.title}")
        save_array(folder, f"{split}_images", arrays[images][:, None])  # N x 1 x 28 x 28
        save_array(folder, f"{split}_labels", arrays[labels])
    note = dataset.note
    if differing:
        train, test = (len(arrays[name]) for name in IDX_NAMES[::2])
        verb = "differs" if len(differing) == 1 else "differ"
        note = (
            f"{', '.join(differing)} {verb} from the published files; the content was checked: "
            f"{train:,} training and {test:,} test pictures of 28x28."
        )
    return PreparedContent(dataset.title, dataset.classes, note, {"kind": dataset.form})


def prepare_cifar(
    dataset: BuiltinDataset, folders: Folders, folder: Path
) -> Generator[Progress, None, PreparedContent]:
    """Write the four arrays of CIFAR-10 or CIFAR-100 to ``folder``.

    Raises:
        DataError: The archive is missing and cannot be downloaded, or its content is another one.
    """
    (path,) = yield from fetch_missing(dataset, folders)
    yield Progress(_DOWNLOADED_FRACTION, f"reading {path.name}")
    for split, (images, labels) in read_cifar(dataset.name, path).items():
        yield Progress(0.9, f"writing the {split} split of {dataset.title}")
        save_array(folder, f"{split}_images", images)
        save_array(folder, f"{split}_labels", labels)
    return PreparedContent(dataset.title, dataset.classes, dataset.note, {"kind": dataset.form})


def _is_published(dataset: BuiltinDataset, name: str, unpacked_md5: str) -> bool:
    return dataset.name == "mnist" and unpacked_md5 == PUBLISHED_MD5[name]


def _check_pair(dataset: BuiltinDataset, image_file: Path, label_file: Path) -> None:
    images, labels = summarise_idx(image_file), summarise_idx(label_file)
    if len(images.shape) != 3 or images.shape[1:] != dataset.in_size[1:]:
        found = " x ".join(map(str, images.shape))
        raise DataError(
            f"{image_file} has values of shape {found}, but {dataset.title} has pictures of "
            "28 x 28 pixels. Replace it with the original file, or delete it to download it again."
        )
    if labels.shape != images.shape[:1] or labels.highest >= len(dataset.classes):
        raise DataError(
            f"{label_file} does not match {image_file.name}: {images.shape[0]:,} pictures need as "
            f"many labels from 0 to {len(dataset.classes) - 1}. Use files of the same dataset."
        )


def fetch_missing(
    dataset: BuiltinDataset, folders: Folders
) -> Generator[Progress, None, list[Path]]:
    """Download the missing files of a dataset; return the paths of all.

    Raises:
        DataError: One of them could not be downloaded, or a file cannot be used.
    """
    target = write_root(folders, DOWNLOADS) / DOWNLOADS / folder_name(dataset.name)
    before = 0
    for file, path in zip(dataset.files, found_files(dataset, folders), strict=True):
        if path is None:
            target.mkdir(parents=True, exist_ok=True)
            for progress in download(dataset, file, target / file.name, before):
                yield replace(progress, fraction=_DOWNLOADED_FRACTION * progress.fraction)
        before += file.size_bytes
    paths = [path for path in found_files(dataset, folders) if path is not None]
    if len(paths) < len(dataset.files):
        raise DataError(
            f"A file of {dataset.title} was removed during the preparation. "
            "Prepare the dataset again."
        )
    return paths


def is_checked(dataset: BuiltinDataset, paths: Sequence[Path | None], folders: Folders) -> bool:
    """Return whether the content of all found files is known."""
    checks = CifarChecks(folders)
    return dataset.form != "cifar" or all(
        path is None or checks.known_problem(dataset.name, path) is not None for path in paths
    )


def _find(
    dataset: BuiltinDataset, file: RemoteFile, folders: Folders, may_read: bool
) -> Path | None:
    """Return the first path whose content can be used.

    Raises:
        DataError: There are paths, but none of them can be used.
    """
    problem = ""
    checks = CifarChecks(folders)
    for path in _candidate_paths(dataset, file, folders):
        if dataset.form == "idx":
            found = summarise_idx(path).problem if path.is_file() else None
        elif not path.exists():
            found = None
        else:
            found = checks.known_problem(dataset.name, path)
            if found is None:
                found = checks.problem(dataset.name, path) if may_read else ""
        if found == "":
            return path
        problem = problem or found or ""
    if problem:
        raise DataError(problem)
    return None


def _candidate_paths(
    dataset: BuiltinDataset, file: RemoteFile, folders: Folders
) -> Generator[Path]:
    """Yield the places and names under which people and other tools keep a file."""
    if dataset.form == "idx":
        raw = folders.data / dataset.folder
        plain = file.name.removesuffix(".gz")
        dotted = plain.replace("-idx", ".idx")
        for folder in (raw, raw.parent):
            for name in (plain, dotted, f"{plain}.gz", f"{dotted}.gz"):
                yield folder / name
    else:
        archive = file.name.removesuffix(".gz")
        yield folders.data / dataset.folder
        for parent in (dataset.folder, archive.removesuffix(".tar"), f"{dataset.folder}-target"):
            yield folders.data / parent / dataset.folder
        for name in (archive, f"{dataset.folder}.tar"):  # the second is Keras' name
            yield folders.data / f"{name}.gz"
            yield folders.data / name
    for folder in download_folders(dataset.name, folders):
        yield folder / file.name


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

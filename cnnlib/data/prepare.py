"""Preparing a dataset once, as a job: found or downloaded, checked, and written as plain arrays.

Alone imports torchvision, which is slow to import, and only for CIFAR's archives.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import numpy as np

from cnnlib.data.builtin.datasets import BUILTIN, BuiltinDataset
from cnnlib.data.builtin.digits import make_digits
from cnnlib.data.builtin.files import fetch_missing, found_file, make_idx
from cnnlib.data.catalogue import missing
from cnnlib.data.image_folder.prepare_folder import make_folder
from cnnlib.data.image_folder.sources import FolderOptions, FolderSource, folder_source
from cnnlib.data.lock import wait_for_lock
from cnnlib.data.paths import PREPARED, folder_name, home
from cnnlib.data.prepared import folder_options, is_prepared
from cnnlib.data.prepared_writer import (
    PreparedContent,
    finish,
    publish,
    save_array,
    temporary_folder,
)
from cnnlib.errors import DataError
from cnnlib.records.folders import Folders
from cnnlib.records.job import Progress

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from torchvision.datasets import CIFAR10


def prepare(
    name: str,
    folders: Folders | None = None,
    *,
    again: bool = False,
    options: FolderOptions | None = None,
) -> Generator[Progress]:
    """Write the prepared copy of a dataset; where it is there already, do nothing.

    Closing the generator stops the work and leaves nothing half done. Of two processes that prepare
    the same dataset, one waits for the other.

    Args:
        again: Make the copy even where a whole one is there.
        options: How the pictures of a ``folder:`` dataset are brought to one size; None takes what
            was chosen when it was uploaded.

    Raises:
        RecipeError: The name is none that a dataset can have.
        DataError: The dataset is not to be had, or cannot be used, and why.
    """
    folders = folders or Folders.from_environment()
    wanted = again or options is not None
    if wanted or not is_prepared(name, folders):
        source = _source(name, folders)
        place = _place(source, folders)
        try:
            yield from _make_alone(name, source, folders, place, options, wanted)
        except OSError as error:
            raise DataError(
                f"The prepared copy of {name} could not be written to {place} ({error}). "
                "Make room there, or name another folder in CNNLAB_RUNS."
            ) from error
    yield Progress(1.0, f"{name} is prepared")


def _source(name: str, folders: Folders) -> BuiltinDataset | FolderSource:
    source = BUILTIN.get(name) or folder_source(name, folders)
    if source is None:
        raise missing(name, folders)
    return source


def _place(source: BuiltinDataset | FolderSource, folders: Folders) -> Path:
    """Where the copy is written: beside an upload, or in the data folder if that can be."""
    is_upload = isinstance(source, FolderSource) and source.uploaded
    return folders.runs if is_upload else home(folders, PREPARED)


def _make_alone(
    name: str,
    source: BuiltinDataset | FolderSource,
    folders: Folders,
    place: Path,
    options: FolderOptions | None,
    wanted: bool,
) -> Generator[Progress]:
    """Make the copy, unless the process that was waited for made it."""
    (place / PREPARED).mkdir(parents=True, exist_ok=True)
    lock_file = place / PREPARED / f".lock-{folder_name(name)}"
    lock = yield from wait_for_lock(lock_file, f"another process is preparing {name}")
    try:
        if wanted or not is_prepared(name, folders):
            yield from _make(name, source, folders, place, options)
    finally:
        os.close(lock)


def _make(
    name: str,
    source: BuiltinDataset | FolderSource,
    folders: Folders,
    place: Path,
    options: FolderOptions | None,
) -> Generator[Progress]:
    with temporary_folder(name, place) as folder:
        if isinstance(source, FolderSource):
            made = yield from make_folder(
                source, folder, options or folder_options(source, folders)
            )
        elif source.form == "idx":
            made = yield from make_idx(source, folders, folder)
        elif source.form == "cifar":
            made = yield from make_cifar(source, folders, folder)
        else:
            made = yield from make_digits(folder)
        yield Progress(0.95, f"measuring {name}")
        finish(folder, name, made)
        publish(folder, name, place)


def make_cifar(
    known: BuiltinDataset, folders: Folders, folder: Path
) -> Generator[Progress, None, PreparedContent]:
    """Write the four arrays of CIFAR-10 or CIFAR-100 into ``folder``.

    The archives hold pickles. torchvision alone opens them, after every file's published MD5
    matched.

    Raises:
        DataError: The archive is neither there nor to be had.
    """
    yield Progress(0.0, "starting torchvision")
    from torchvision import datasets
    from torchvision.datasets.utils import extract_archive

    kind = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[known.name]
    root, unpacked = folders.data, folder / "unpacked"
    if not _is_whole(kind, root):
        yield from fetch_missing(known, folders)
        yield Progress(0.8, f"unpacking {known.title}")
        root = unpacked
        extract_archive(str(found_file(known, known.files[0], folders)), str(unpacked))
    for split in ("train", "test"):
        yield Progress(0.9, f"reading the {split} split of {known.title}")
        images, labels = _cifar_split(kind, root, split == "train")
        save_array(folder, f"{split}_images", images)
        save_array(folder, f"{split}_labels", labels)
    shutil.rmtree(unpacked, ignore_errors=True)
    return PreparedContent(known.title, known.classes, known.note, {"kind": known.form})


def _is_whole(kind: type[CIFAR10], root: Path) -> bool:
    """Whether the unpacked files are all there with the MD5s that torchvision publishes."""
    from torchvision.datasets.utils import check_integrity

    files = [*kind.train_list, *kind.test_list, (kind.meta["filename"], kind.meta["md5"])]
    return all(check_integrity(root / kind.base_folder / name, md5) for name, md5 in files)


def _cifar_split(kind: type[CIFAR10], root: Path, train: bool) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N x 3 x 32 x 32, uint8) and labels, read by torchvision after its checks."""
    try:
        split = kind(root=str(root), train=train, download=False)
    except RuntimeError as error:  # torchvision's word for a file whose MD5 does not match
        raise DataError(
            f"{kind.__name__}'s files in {root} are not those that were published ({error}). "
            "Remove them, and prepare the dataset again to have them downloaded."
        ) from error
    return split.data.transpose(0, 3, 1, 2), np.asarray(split.targets)

"""Prepare a dataset, as a job: find or download its files, check them, and write the arrays.

torchvision, which is slow to import, is imported here only, and for CIFAR's archives only.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np

from cnnlib.data.builtin.digits import prepare_digits
from cnnlib.data.builtin.files import fetch_missing, found_file, prepare_idx
from cnnlib.data.catalogue import dataset_not_found
from cnnlib.data.image_folder.prepare_folder import prepare_image_folder
from cnnlib.data.image_folder.sources import FolderOptions, FolderSource, folder_source
from cnnlib.data.lock import wait_for_lock
from cnnlib.data.paths import PREPARED, folder_name, write_root
from cnnlib.data.prepared import folder_options, is_prepared
from cnnlib.data.prepared_writer import (
    PreparedContent,
    publish,
    save_array,
    temporary_folder,
    write_info,
)
from cnnlib.errors import DataError
from cnnlib.records.folders import Folders
from cnnlib.records.job import Progress
from cnnlib.vocabulary.datasets import BUILTIN, BuiltinDataset

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
    """Write the prepared copy of a dataset, unless there is a current one.

    Closing the generator cancels the preparation and removes partial files. A second process that
    prepares the same dataset waits for the first.

    Args:
        again: Replace an existing copy.
        options: Size and channels of the pictures of a ``folder:`` dataset; None uses those that
            were set at upload.

    Raises:
        RecipeError: The name is not a valid dataset name.
        DataError: The dataset is not available or cannot be used.
    """
    folders = folders or Folders.from_environment()
    forced = again or options is not None
    if forced or not is_prepared(name, folders):
        source = _find_source(name, folders)
        root = _target_root(source, folders)
        try:
            yield from _make_locked(name, source, folders, root, options, forced)
        except OSError as error:
            raise DataError(
                f"The prepared copy of {name} could not be written to {root} ({error}). "
                "Free some space, or set CNNLAB_RUNS to another folder."
            ) from error
    yield Progress(1.0, f"{name} is prepared")


def _find_source(name: str, folders: Folders) -> BuiltinDataset | FolderSource:
    source = BUILTIN.get(name) or folder_source(name, folders)
    if source is None:
        raise dataset_not_found(name, folders)
    return source


def _target_root(source: BuiltinDataset | FolderSource, folders: Folders) -> Path:
    """Return the root of the copy: the runs folder for an upload, else `write_root`."""
    is_upload = isinstance(source, FolderSource) and source.uploaded
    return folders.runs if is_upload else write_root(folders, PREPARED)


def _make_locked(
    name: str,
    source: BuiltinDataset | FolderSource,
    folders: Folders,
    root: Path,
    options: FolderOptions | None,
    forced: bool,
) -> Generator[Progress]:
    """Take the lock and make the copy, unless another process made it in the meantime."""
    (root / PREPARED).mkdir(parents=True, exist_ok=True)
    lock_file = root / PREPARED / f".lock-{folder_name(name)}"
    lock = yield from wait_for_lock(lock_file, f"another process is preparing {name}")
    try:
        if forced or not is_prepared(name, folders):
            yield from _make(name, source, folders, root, options)
    finally:
        lock.release()


def _make(
    name: str,
    source: BuiltinDataset | FolderSource,
    folders: Folders,
    root: Path,
    options: FolderOptions | None,
) -> Generator[Progress]:
    with temporary_folder(name, root) as folder:
        if isinstance(source, FolderSource):
            options = options or folder_options(source, folders)
            content = yield from prepare_image_folder(source, folder, options)
        elif source.form == "idx":
            content = yield from prepare_idx(source, folders, folder)
        elif source.form == "cifar":
            content = yield from prepare_cifar(source, folders, folder)
        else:
            content = yield from prepare_digits(folder)
        yield Progress(0.95, f"computing statistics of {name}")
        write_info(folder, name, content)
        publish(folder, name, root)
    if isinstance(source, FolderSource) and source.uploaded and options is not None:
        source.options_file.write_text(json.dumps(options.to_dict()), encoding="utf-8")


def prepare_cifar(
    dataset: BuiltinDataset, folders: Folders, folder: Path
) -> Generator[Progress, None, PreparedContent]:
    """Write the four arrays of CIFAR-10 or CIFAR-100 to ``folder``.

    The archives contain pickles, which torchvision loads after checking the MD5 of every file.

    Raises:
        DataError: The archive is missing and cannot be downloaded, or its files are damaged.
    """
    yield Progress(0.0, "starting torchvision")
    from torchvision import datasets
    from torchvision.datasets.utils import extract_archive

    dataset_class = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}[dataset.name]
    root, unpacked = folders.data, folder / "unpacked"
    if not _is_complete(dataset_class, root):
        yield from fetch_missing(dataset, folders)
        yield Progress(0.8, f"unpacking {dataset.title}")
        root = unpacked
        extract_archive(str(found_file(dataset, dataset.files[0], folders)), str(unpacked))
    for split in ("train", "test"):
        yield Progress(0.9, f"reading the {split} split of {dataset.title}")
        images, labels = _cifar_split(dataset_class, root, split == "train")
        save_array(folder, f"{split}_images", images)
        save_array(folder, f"{split}_labels", labels)
    shutil.rmtree(unpacked, ignore_errors=True)
    return PreparedContent(dataset.title, dataset.classes, dataset.note, {"kind": dataset.form})


def _is_complete(dataset_class: type[CIFAR10], root: Path) -> bool:
    """Return whether all unpacked files exist and have torchvision's MD5s."""
    from torchvision.datasets.utils import check_integrity

    files = [
        *dataset_class.train_list,
        *dataset_class.test_list,
        (dataset_class.meta["filename"], dataset_class.meta["md5"]),
    ]
    return all(check_integrity(root / dataset_class.base_folder / name, md5) for name, md5 in files)


def _cifar_split(
    dataset_class: type[CIFAR10], root: Path, train: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Read pictures (N x 3 x 32 x 32, uint8) and labels with torchvision, MD5s checked.

    Raises:
        DataError: A file does not have its published MD5.
    """
    try:
        split = dataset_class(root=str(root), train=train, download=False)
    except RuntimeError as error:  # raised by torchvision if an MD5 does not match
        raise DataError(
            f"The {dataset_class.__name__} files in {root} differ from the published files "
            f"({error}). Delete them, and prepare the dataset again to download them."
        ) from error
    return split.data.transpose(0, 3, 1, 2), np.asarray(split.targets)

"""Prepare a dataset, as a job: find or download its files, check them, and write the arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnlib.data.builtin.digits import prepare_digits
from cnnlib.data.builtin.files import prepare_cifar, prepare_idx
from cnnlib.data.catalogue import dataset_not_found
from cnnlib.data.image_folder.prepare_folder import prepare_image_folder
from cnnlib.data.image_folder.sources import FolderOptions, FolderSource, folder_source
from cnnlib.data.lock import wait_for_lock
from cnnlib.data.paths import folder_name, prepared_folder, roles_file, search_roots, write_root
from cnnlib.data.prepared import folder_options, is_prepared, prepared_copies
from cnnlib.data.prepared_writer import (
    publish,
    temporary_folder,
    write_info,
)
from cnnlib.data.stored_datasets import pull_prepared, pull_uploads, push_prepared
from cnnlib.errors import DataError
from cnnlib.records.folders import PREPARED, Folders
from cnnlib.records.job import Progress
from cnnlib.vocabulary.datasets import BUILTIN, BuiltinDataset

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


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
    is_stored = False
    if folders.files:
        yield Progress(0.0, f"fetching {name}")
        is_stored = not forced and pull_prepared(name, folders)
        if not is_stored:
            pull_uploads(folders, name)
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
    elif folders.files and not is_stored and (copy := next(prepared_copies(name, folders), None)):
        push_prepared(name, copy, folders)  # prepared here before there was an object store
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
    push_prepared(name, prepared_folder(name, root), folders)
    for searched in search_roots(folders):  # the copy has the roles now
        roles_file(name, searched).unlink(missing_ok=True)

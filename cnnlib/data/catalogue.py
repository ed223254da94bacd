"""The catalogue of datasets, with their state: prepared, available or to be downloaded."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from cnnlib.data.builtin.files import found_bytes, found_files, is_checked
from cnnlib.data.fingerprint import kept_for_test
from cnnlib.data.image_folder.archive_reader import open_files
from cnnlib.data.image_folder.layout import Layout, arrange
from cnnlib.data.image_folder.sources import FolderSource, folder_source, folder_sources
from cnnlib.data.image_folder.split_names import SPLITS
from cnnlib.data.prepared import current_record, folder_options
from cnnlib.errors import DataError
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.folders import Folders
from cnnlib.records.run import check_dataset_name
from cnnlib.units import format_size
from cnnlib.vocabulary.datasets import BUILTIN, BuiltinDataset

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_UNCHECKED = "Its content is checked when it is prepared."


def catalogue(folders: Folders | None = None) -> list[DatasetInfo]:
    """List all datasets: the built-in ones, then the users' own, sorted by name.

    A dataset with unusable pictures has no classes, and its note is the error message.
    """
    folders = folders or Folders.from_environment()
    builtin = [_builtin_info(dataset, folders) for dataset in BUILTIN.values()]
    return builtin + [_list_info(source, folders) for source in folder_sources(folders)]


def dataset_info(name: str, folders: Folders | None = None) -> DatasetInfo:
    """Return the catalogue's entry for one dataset.

    Raises:
        RecipeError: The name is not a valid dataset name.
        DataError: There is no such dataset, or its pictures cannot be used.
    """
    folders = folders or Folders.from_environment()
    check_dataset_name(name)
    if name in BUILTIN:
        return _builtin_info(BUILTIN[name], folders)
    record = current_record(name, folders)
    if record is not None:
        return record.info
    source = folder_source(name, folders)
    if source is None:
        raise dataset_not_found(name, folders)
    return _folder_info(source, folders)


def dataset_not_found(name: str, folders: Folders) -> DataError:
    """Build the error for a missing ``folder:`` dataset; it lists the datasets that exist."""
    names = ", ".join([*BUILTIN, *(source.name for source in folder_sources(folders))])
    own = name.removeprefix("folder:")
    return DataError(
        f"The dataset {name} was not found: {folders.data} and the uploads contain neither a "
        f"folder {own!r} with one folder per class nor {own}.zip. Add it there, upload a zip, or "
        f"choose one of: {names}."
    )


def _builtin_info(dataset: BuiltinDataset, folders: Folders) -> DatasetInfo:
    record = current_record(dataset.name, folders)
    if record is not None:
        return record.info
    paths: list[Path | None] = []
    try:
        paths = found_files(dataset, folders, may_read=False)
        note = dataset.note if is_checked(dataset, paths, folders) else _UNCHECKED
    except DataError as error:  # preparing raises the same
        note = str(error)
    available = None not in paths
    if not available:
        note = f"{format_size(dataset.download_bytes)} to download."
    return DatasetInfo(
        name=dataset.name,
        title=dataset.title,
        in_size=dataset.in_size,
        classes=dataset.classes,
        train_count=dataset.train_count,
        test_count=dataset.test_count,
        state="here" if available else "download",
        size_bytes=found_bytes(paths),
        note=note,
        source={"kind": dataset.form},
    )


def _list_info(source: FolderSource, folders: Folders) -> DatasetInfo:
    record = current_record(source.name, folders)
    if record is not None:
        return record.info
    try:
        return _folder_info(source, folders)
    except DataError as error:
        return replace(_bare_info(source, folders), note=str(error))


def folder_layout(
    name: str, folders: Folders | None = None, roles: Mapping[str, str] | None = None
) -> Layout:
    """Return what the folders of a user's own dataset are taken for.

    Args:
        roles: What folders are, by path; None is what was set before.

    Raises:
        RecipeError: The name is not a valid dataset name.
        DataError: There is no such dataset, or it has no classes.
    """
    folders = folders or Folders.from_environment()
    source = folder_source(name, folders)
    if source is None:
        raise dataset_not_found(name, folders)
    if roles is None:
        roles = folder_options(source, folders).roles
    return _survey(source, roles).layout


def _survey(source: FolderSource, roles: Mapping[str, str]) -> _Survey:
    return _cached_survey(source, _source_state(source), json.dumps(dict(roles)))


def _folder_info(source: FolderSource, folders: Folders) -> DatasetInfo:
    survey = _survey(source, folder_options(source, folders).roles)
    return replace(
        _bare_info(source, folders),
        classes=survey.layout.classes,
        train_count=survey.train_count,
        test_count=survey.test_count,
        validation_count=survey.validation_count,
        size_bytes=survey.total_bytes,
        note=survey.note,
    )


def _bare_info(source: FolderSource, folders: Folders) -> DatasetInfo:
    options = folder_options(source, folders)
    return DatasetInfo(
        name=source.name,
        title=source.name.removeprefix("folder:"),
        in_size=(options.channels, options.size, options.size),
        classes=(),
        state="here",
        source={"kind": source.kind, "fit": options.fit},
    )


@dataclass(frozen=True)
class _Survey:
    """Layout and counts from the file paths alone; some of the pictures may be unreadable.

    Args:
        train_count: Training pictures with those of the dataset's own validation split.
    """

    layout: Layout
    train_count: int
    validation_count: int
    test_count: int
    total_bytes: int

    @property
    def note(self) -> str:
        """Open questions, then notes."""
        questions = [f"To be decided: {question.text}." for question in self.layout.questions]
        return " ".join([*questions, *self.layout.notes])


@lru_cache(maxsize=64)
def _cached_survey(source: FolderSource, state: str, roles: str) -> _Survey:
    """Survey a source, once for each of its states: listing a large folder or zip can take 1 s.

    Args:
        roles: Those of `FolderOptions`, as JSON.
    """
    with open_files(source) as files:
        layout = arrange(files.paths, files.folders, json.loads(roles))
        train, validation, test = (
            Counter(placed.label for placed in layout.placed if placed.split == split)
            for split in SPLITS
        )
        for label, count in () if test else tuple(train.items()):
            test[label] = kept_for_test(count)
            train[label] -= test[label]
        counts = (train.total() + validation.total(), validation.total(), test.total())
        return _Survey(layout, *counts, files.total_bytes)


def _source_state(source: FolderSource) -> str:
    try:
        return json.dumps(source.state())
    except OSError as error:
        raise DataError(
            f"{source.path.name} can no longer be read ({error.strerror}). "
            "Restore the file, or choose another dataset."
        ) from error

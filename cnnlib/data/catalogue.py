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
from cnnlib.data.image_folder.sources import (
    WHAT_IS_TAKEN,
    FolderSource,
    folder_source,
    folder_sources,
)
from cnnlib.data.image_folder.split_names import SPLITS
from cnnlib.data.prepared import current_record, folder_options
from cnnlib.data.statistics import ClassCount, class_warnings
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
    if found := _what_is_there(name, folders):
        return DataError(found)
    return DataError(
        f"The dataset {name} was not found: {folders.data} and the uploads contain neither a "
        f"folder {own!r} with one folder per class nor {own}.zip. Add it there, upload a zip, or "
        f"choose one of: {names}."
    )


def _what_is_there(name: str, folders: Folders) -> str:
    """Say why what has the name of a dataset in the data folder is none; "" if nothing has it."""
    own = name.removeprefix("folder:")
    path = folders.data / own
    if path.is_dir():
        try:
            _survey(FolderSource(name, path, "directory", uploaded=False), {})
        except DataError as error:
            return f"The folder {path} is not a dataset. {error}"
        return (
            f"The folder {path} has no file with a picture's suffix, such as .png or .jpg, in a "
            "folder of a class. Rename the files, or copy them again."
        )
    if not folders.data.is_dir():
        return ""
    others = sorted(entry.name for entry in folders.data.iterdir() if entry.stem == own)
    return f"{folders.data / others[0]} is not a dataset. {WHAT_IS_TAKEN}" if others else ""


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


def folder_survey(
    name: str, folders: Folders | None = None, roles: Mapping[str, str] | None = None
) -> FolderSurvey:
    """Return what the folders of a user's own dataset are taken for, and the pictures per class.

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
    return _survey(source, roles)


def _survey(source: FolderSource, roles: Mapping[str, str]) -> FolderSurvey:
    return _cached_survey(source, _source_state(source), json.dumps(dict(roles)))


def _folder_info(source: FolderSource, folders: Folders) -> DatasetInfo:
    survey = _survey(source, folder_options(source, folders).roles)
    layout, validation = survey.layout, sum(each.validation for each in survey.counts)
    return replace(
        _bare_info(source, folders),
        classes=layout.classes,
        train_count=sum(each.train for each in survey.counts) + validation,
        test_count=sum(each.test for each in survey.counts),
        validation_count=validation,
        size_bytes=survey.total_bytes,
        note=" ".join(layout.notes),
        warnings=survey.warnings,
        question=layout.question(source.name),
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
class FolderSurvey:
    """Layout and counts from the file paths alone; some of the pictures may be unreadable.

    Args:
        counts: Per class, in the order of the labels.
        total_bytes: Size of all files.
    """

    layout: Layout
    counts: tuple[ClassCount, ...]
    total_bytes: int

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the classes warn of; nothing while it is not decided what they are."""
        return () if self.layout.questions else class_warnings(self.counts)


@lru_cache(maxsize=64)
def _cached_survey(source: FolderSource, state: str, roles: str) -> FolderSurvey:
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
        counts = tuple(
            ClassCount(name, train[label], validation[label], test[label])
            for label, name in enumerate(layout.classes)
        )
        return FolderSurvey(layout, counts, files.total_bytes)


def _source_state(source: FolderSource) -> str:
    try:
        return json.dumps(source.state())
    except OSError as error:
        raise DataError(
            f"{source.path.name} can no longer be read ({error.strerror}). "
            "Restore the file, or choose another dataset."
        ) from error

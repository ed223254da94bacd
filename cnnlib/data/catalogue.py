"""The catalogue: every dataset that can be trained on, and how far it is from ready."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache

from cnnlib.data.builtin.datasets import BUILTIN, BuiltinDataset
from cnnlib.data.builtin.files import here_bytes, is_here
from cnnlib.data.fingerprint import kept_for_test
from cnnlib.data.image_folder.archive_reader import open_files
from cnnlib.data.image_folder.layout import TEST, arrange
from cnnlib.data.image_folder.sources import FolderSource, folder_source, folder_sources
from cnnlib.data.prepared import current_record, folder_options
from cnnlib.errors import DataError
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.folders import Folders
from cnnlib.records.run import check_dataset_name
from cnnlib.units import format_size


def catalogue(folders: Folders | None = None) -> list[DatasetInfo]:
    """Every dataset: those that the lab knows, then people's own by name.

    One whose pictures cannot be used is listed without classes, and its note says why.
    """
    folders = folders or Folders.from_environment()
    known = [_known_info(dataset, folders) for dataset in BUILTIN.values()]
    return known + [_listed(source, folders) for source in folder_sources(folders)]


def dataset_info(name: str, folders: Folders | None = None) -> DatasetInfo:
    """One line of the catalogue.

    Raises:
        RecipeError: The name is none that a dataset can have.
        DataError: There is no such dataset, or its pictures cannot be used.
    """
    folders = folders or Folders.from_environment()
    check_dataset_name(name)
    if name in BUILTIN:
        return _known_info(BUILTIN[name], folders)
    record = current_record(name, folders)
    if record is not None:
        return record.info
    source = folder_source(name, folders)
    if source is None:
        raise missing(name, folders)
    return _own_info(source, folders)


def missing(name: str, folders: Folders) -> DataError:
    """There is no such ``folder:`` dataset; which there are."""
    there = ", ".join([*BUILTIN, *(source.name for source in folder_sources(folders))])
    own = name.removeprefix("folder:")
    return DataError(
        f"{name} was not found: neither a folder {own!r} with one folder per class nor {own}.zip "
        f"is in {folders.data} or among the uploads. Put it there, upload a zip, or choose one of: "
        f"{there}."
    )


def _known_info(known: BuiltinDataset, folders: Folders) -> DatasetInfo:
    record = current_record(known.name, folders)
    if record is not None:
        return record.info
    here = not known.files or is_here(known, folders)
    size = f"{format_size(known.download_bytes)} to download."
    return DatasetInfo(
        name=known.name,
        title=known.title,
        in_size=known.in_size,
        classes=known.classes,
        train_count=known.train_count,
        test_count=known.test_count,
        state="here" if here else "download",
        size_bytes=here_bytes(known, folders),
        note=known.note if here else size,
        source={"kind": known.form},
    )


def _listed(source: FolderSource, folders: Folders) -> DatasetInfo:
    record = current_record(source.name, folders)
    if record is not None:
        return record.info
    try:
        return _own_info(source, folders)
    except DataError as error:
        return replace(_bare_info(source, folders), note=str(error))


def _own_info(source: FolderSource, folders: Folders) -> DatasetInfo:
    found = _survey_as(source, _seen(source))
    return replace(
        _bare_info(source, folders),
        classes=found.classes,
        train_count=found.train_count,
        test_count=found.test_count,
        size_bytes=found.total_bytes,
        note=found.note,
    )


def _bare_info(source: FolderSource, folders: Folders) -> DatasetInfo:
    options = folder_options(source, folders)
    return DatasetInfo(
        name=source.name,
        title=source.name.removeprefix("folder:"),
        in_size=(options.channels, options.size, options.size),
        classes=(),
        state="here",
        source={"kind": source.kind},
    )


@dataclass(frozen=True)
class _Survey:
    """What paths tell before a picture is decoded; fewer pictures may be readable."""

    classes: tuple[str, ...]
    train_count: int
    test_count: int
    total_bytes: int
    note: str


def _survey(source: FolderSource) -> _Survey:
    with open_files(source) as files:
        layout = arrange(files.paths)
        if layout.has_test_split:
            test = sum(placed.split == TEST for placed in layout.placed)
        else:
            test = sum(
                map(kept_for_test, Counter(placed.label for placed in layout.placed).values())
            )
        train = len(layout.placed) - test
        return _Survey(layout.classes, train, test, files.total_bytes, " ".join(layout.notes))


@lru_cache(maxsize=64)
def _survey_as(source: FolderSource, seen: str) -> _Survey:
    """Listing a large folder or zip can take a second: once for each state that it is seen in."""
    return _survey(source)


def _seen(source: FolderSource) -> str:
    try:
        return json.dumps(source.seen())
    except OSError as error:
        raise DataError(
            f"{source.path.name} was there a moment ago and cannot be read ({error.strerror}). Put "
            "it there again, or choose another dataset."
        ) from error

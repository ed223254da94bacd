"""Classes and splits of a user's own dataset, from its file paths."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from cnnlib.data.image_folder.sources import is_picture_name, is_visible
from cnnlib.errors import DataError
from cnnlib.units import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_CLASSES = 1_000
MAX_CLASS_NAME = 100
TRAIN, TEST = "train", "test"
VALIDATION = ("val", "valid", "validation")


class Placed(NamedTuple):
    """A picture file with its class and split.

    Args:
        file: Its index in the list of paths.
        split: "train" or "test"; "" if the split is made by content.
    """

    file: int
    label: int
    split: str


@dataclass(frozen=True)
class Layout:
    """Classes, pictures and notes that follow from the paths of a dataset.

    Args:
        classes: Sorted, in the order of their labels.
        placed: Pictures in class folders.
        loose: Indices of pictures outside the class folders.
        notes: Sentences to show to the user.
    """

    classes: tuple[str, ...]
    placed: tuple[Placed, ...]
    loose: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def has_test_split(self) -> bool:
        """Whether the dataset has a test folder."""
        return bool(self.placed) and bool(self.placed[0].split)


def arrange(paths: Sequence[str]) -> Layout:
    """Assign files to classes, and to splits if there are folders for them.

    One folder is one class, with all pictures below it. A single folder around all files is
    skipped. ``train/`` and ``test/`` are the splits; ``val/`` (or ``valid/``, ``validation/``)
    beside both is part of the training pictures, from which each run takes its validation split,
    and is the test split if there is no ``test/``. Hidden files, ``__MACOSX`` and files without a
    picture's suffix are ignored.

    Args:
        paths: Relative paths with ``/`` as separator.

    Raises:
        DataError: There are no class folders, too many, or one with an invalid name.
    """
    folders = _without_wrapper(_by_folder(paths))
    splits = _splits(folders)
    in_class: dict[tuple[str, str], list[int]] = {}
    loose: list[int] = []
    for folder, files in folders.items():
        split, inner = (splits[folder[0]], folder[1:]) if splits else ("", folder)
        target = in_class.setdefault((inner[0], split), []) if inner else loose
        target.extend(files)
    classes = tuple(sorted({name for name, _ in in_class}))
    _check_classes(classes, len(loose))
    labels = {name: label for label, name in enumerate(classes)}
    placed = sorted(
        Placed(file, labels[name], split)
        for (name, split), files in in_class.items()
        for file in files
    )
    return Layout(classes, tuple(placed), tuple(sorted(loose)), tuple(_notes(classes, splits)))


_Folders = dict[tuple[str, ...], list[int]]  # parts of a folder's path -> indices of its pictures


def _by_folder(paths: Sequence[str]) -> _Folders:
    """Group the pictures by folder; hidden folders are left out."""
    folders: dict[str, list[int]] = {}
    for index, path in enumerate(paths):
        folder, _, name = path.rpartition("/")
        if is_picture_name(name):
            folders.setdefault(folder, []).append(index)
    by_parts: _Folders = {}
    for folder, files in folders.items():
        parts = tuple(unicodedata.normalize("NFC", folder).split("/")) if folder else ()
        if all(map(is_visible, parts)):
            by_parts.setdefault(parts, []).extend(files)
    return by_parts


def _without_wrapper(folders: _Folders) -> _Folders:
    """Remove leading folders that contain all files and are not classes themselves."""
    while len({folder[:1] for folder in folders}) == 1 and all(
        len(folder) >= 2 for folder in folders
    ):
        folders = {folder[1:]: files for folder, files in folders.items()}
    return folders


def _splits(folders: _Folders) -> dict[str, str]:
    """Map the top folders to splits; empty if they are classes."""
    tops = {folder[0] for folder in folders if len(folder) >= 2}
    names = {top.casefold() for top in tops}
    has_others = any(len(folder) < 2 for folder in folders)
    if has_others or TRAIN not in names or len(names) < 2:
        return {}
    if not names <= {TRAIN, TEST, *VALIDATION}:
        return {}
    validation = TRAIN if TEST in names else TEST
    return {top: validation if top.casefold() in VALIDATION else top.casefold() for top in tops}


def _check_classes(classes: tuple[str, ...], loose: int) -> None:
    if not classes:
        found = "No picture was found"
        if loose:
            found = f"{plural(loose, 'picture')} found, but not inside a folder of a class"
        raise DataError(
            f"{found}. Each class needs its own folder, named after the class. Make one folder "
            "per class, and put the pictures inside."
        )
    if len(classes) > MAX_CLASSES:
        raise DataError(
            f"There are {len(classes):,} class folders; the maximum is {MAX_CLASSES:,} classes. "
            "Merge or remove some folders."
        )
    for name in classes:
        if len(name) > MAX_CLASS_NAME or not name.isprintable():
            raise DataError(
                f"The class folder {name[:MAX_CLASS_NAME]!r} is not a valid name: class names "
                f"have at most {MAX_CLASS_NAME} printable characters. Rename the folder."
            )


def _notes(classes: tuple[str, ...], splits: dict[str, str]) -> list[str]:
    notes = []
    if len(classes) == 1:
        notes.append("There is only one class, so a network has nothing to distinguish.")
    folded = Counter(name.casefold() for name in classes)
    twins = [name for name in classes if folded[name.casefold()] > 1]
    if twins:
        notes.append(
            f"Names that differ only in capital letters are separate classes: {', '.join(twins)}."
        )
    joined = sorted(top for top in splits if top.casefold() in VALIDATION)
    if joined:
        role = "test split" if splits[joined[0]] == TEST else "training pictures"
        notes.append(f"{', '.join(joined)}/ is part of the {role}.")
    return notes

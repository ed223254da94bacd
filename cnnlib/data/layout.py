"""How the files of a person's own dataset divide into classes and splits, by their paths."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cnnlib.data.sources import is_picture_name, is_visible
from cnnlib.errors import DataError

MAX_CLASSES = 1_000
MAX_CLASS_NAME = 100
TRAIN, TEST = "train", "test"
VALIDATION = ("val", "valid", "validation")


@dataclass(frozen=True)
class Placed:
    """One picture file and where it belongs.

    Args:
        index: Its position in the list of paths.
        split: "train" or "test"; "" where the split is made by content.
    """

    index: int
    label: int
    split: str


@dataclass(frozen=True)
class Layout:
    """What the paths say.

    Args:
        classes: In the order of their labels: sorted.
        loose: Positions of pictures that lie in no class folder.
        notes: Sentences that people should read.
    """

    classes: tuple[str, ...]
    placed: tuple[Placed, ...]
    loose: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def has_test_split(self) -> bool:
        """Whether the test split came with the dataset."""
        return bool(self.placed) and bool(self.placed[0].split)


def arrange(paths: Sequence[str]) -> Layout:
    """Divide files into classes, and into splits where there are folders for them.

    One folder is one class, with all pictures below it. A single folder around everything is
    stepped through. ``train/`` and ``test/`` are the splits; ``val/`` (or ``valid/``,
    ``validation/``) beside both joins the training pictures, from which the lab takes its own
    validation split, and without ``test/`` it is the test split. Hidden files, ``__MACOSX`` and
    what is not called like a picture do not count.

    Args:
        paths: Relative, with ``/`` between their parts.

    Raises:
        DataError: There are no class folders, too many, or one whose name cannot be shown.
    """
    parts = {index: tuple(path.split("/")) for index, path in enumerate(paths) if _counts(path)}
    parts = _without_wrapper(parts)
    splits = _splits(parts)
    inner = {index: own[1:] for index, own in parts.items()} if splits else parts
    loose = tuple(index for index, own in inner.items() if len(own) < 2)
    in_class = {
        index: unicodedata.normalize("NFC", own[0]) for index, own in inner.items() if len(own) >= 2
    }
    classes = tuple(sorted(set(in_class.values())))
    _check_classes(classes, len(parts))
    labels = {name: label for label, name in enumerate(classes)}
    placed = tuple(
        Placed(index, labels[name], splits[parts[index][0]] if splits else "")
        for index, name in in_class.items()
    )
    return Layout(classes, placed, loose, tuple(_notes(classes, splits)))


def _counts(path: str) -> bool:
    *folders, name = path.split("/")
    return is_picture_name(name) and all(is_visible(folder) for folder in folders)


def _without_wrapper(parts: dict[int, tuple[str, ...]]) -> dict[int, tuple[str, ...]]:
    """Step through folders that hold everything and are no class themselves."""
    while len({own[0] for own in parts.values()}) == 1 and all(
        len(own) >= 3 for own in parts.values()
    ):
        parts = {index: own[1:] for index, own in parts.items()}
    return parts


def _splits(parts: dict[int, tuple[str, ...]]) -> dict[str, str]:
    """Top folder -> split, where the top folders are splits; empty where they are classes."""
    tops = {own[0] for own in parts.values()}
    names = {top.casefold() for top in tops}
    deep_enough = all(len(own) >= 3 for own in parts.values())
    if TRAIN not in names or len(names) < 2 or not deep_enough:
        return {}
    if not names <= {TRAIN, TEST, *VALIDATION}:
        return {}
    validation = TRAIN if TEST in names else TEST
    return {top: validation if top.casefold() in VALIDATION else top.casefold() for top in tops}


def _check_classes(classes: tuple[str, ...], pictures: int) -> None:
    if not classes:
        found = f"{pictures:,} pictures, but none of them in a folder" if pictures else "no picture"
        raise DataError(
            f"There is {found}. The pictures of each class belong in a folder with the name of the "
            "class: make one folder per class, and put them inside."
        )
    if len(classes) > MAX_CLASSES:
        raise DataError(
            f"There are {len(classes):,} class folders, and at most {MAX_CLASSES:,} classes are "
            "told apart. Join some, or leave some out."
        )
    for name in classes:
        if len(name) > MAX_CLASS_NAME or not name.isprintable():
            raise DataError(
                f"The class folder {name[:MAX_CLASS_NAME]!r} cannot be shown: class names have at "
                f"most {MAX_CLASS_NAME} characters, all of them printable. Rename the folder."
            )


def _notes(classes: tuple[str, ...], splits: dict[str, str]) -> list[str]:
    notes = []
    if len(classes) == 1:
        notes.append("There is one class only, so that there is nothing to tell apart.")
    folded = Counter(name.casefold() for name in classes)
    twins = [name for name in classes if folded[name.casefold()] > 1]
    if twins:
        notes.append(
            f"Classes that differ in capital letters only are kept apart: {', '.join(twins)}."
        )
    joined = sorted(top for top in splits if top.casefold() in VALIDATION)
    if joined:
        role = "test split" if splits[joined[0]] == TEST else "training pictures"
        notes.append(f"{', '.join(joined)}/ is part of the {role}.")
    return notes

"""What each folder of a user's own dataset is: a split, a class, or left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cnnlib.data.image_folder.split_names import (
    SPLITS,
    TRAIN,
    is_generic_name,
    is_unlabelled_name,
    may_be_split_name,
    split_names,
)
from cnnlib.errors import DataError
from cnnlib.units import listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cnnlib.data.image_folder.folder_tree import Folder

# Beside the splits, the keys of FOLDER_ROLES.
CLASS, GROUP, PART, UNUSED = "class", "group", "part", "unused"
_BY_HAND = "was left out by hand"
NO_CLASSES = "has no class folders, so its pictures have no label"
_MANY = 2  # folders with the names of classes that are no coincidence


@dataclass(frozen=True)
class Question:
    """Something that the names of folders do not decide.

    Args:
        paths: The folders; a role for each of them is the answer.
        text: What is unclear, in a sentence.
    """

    paths: tuple[str, ...]
    text: str


@dataclass
class Roles:
    """The role of each folder, and what is not certain about them.

    Args:
        roles: By path; a folder inside a class has one only if it is not simply a part of it.
        reasons: Why a folder is left out, by path: what its path says, continued.
    """

    roles: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)


def guess_roles(root: Folder, fixed: Mapping[str, str]) -> Roles:
    """Return a role for each folder: a split, a class, a group of such folders, or left out.

    A folder with a single folder of folders inside is a group, and so is one that repeats the name
    above. Folders called like splits are splits if they have class folders, or if each class folder
    has them inside. All pictures below a class folder belong to it.

    Args:
        fixed: Roles that a person gave, by path; the other folders are seen in their light.

    Raises:
        DataError: A person said that a folder and one inside it are classes.
    """
    guesser = _Guesser(fixed)
    guesser.group(root)
    return guesser.found


class _Guesser:
    def __init__(self, fixed: Mapping[str, str]) -> None:
        self._fixed = {path: role for path, role in fixed.items() if role != PART}
        self._train_classes: set[str] = set()
        self.found = Roles()

    # Groups: folders that hold splits or classes.

    def group(self, folder: Folder) -> None:
        """Give the folders inside their roles."""
        inside = folder.filled
        free = [each for each in inside if not self._take_fixed(each)]
        splits = split_names(each.name for each in inside)
        if len(free) == len(inside) == 1 and free[0].filled and not splits:
            self._set(free[0], GROUP)
            self.group(free[0])
            return
        given = {self._fixed.get(each.path) for each in inside if _has_classes(each)}
        holders = [each for each in free if each.name in splits and _has_classes(each)]
        if all(map(_splits_inside, free)) and any(each.name not in splits for each in free):
            self._class_level(free, {})
        elif TRAIN in {splits[each.name] for each in holders} | given:
            self._split_level(free, splits)
        elif holders:
            self._classes_beside_split(free, holders, splits)
        else:
            self._class_level(free, splits)

    def _take_fixed(self, folder: Folder) -> bool:
        """Give a folder the role that a person gave it; return whether there is one."""
        role = self._fixed.get(folder.path)
        if role == CLASS:
            self._class(folder)
        elif role == UNUSED:
            self._leave_out(folder, _BY_HAND)
        elif role == GROUP:
            self._set(folder, GROUP)
            self.group(folder)
        elif role is not None:
            self._split(folder, role)
        return role is not None

    def _split_level(self, folders: Sequence[Folder], splits: Mapping[str, str]) -> None:
        """Folders side by side of which some are splits with classes."""
        in_order = sorted(folders, key=lambda each: splits.get(each.name) != TRAIN)
        for folder in in_order:
            if folder.name in splits:
                self._split(folder, splits[folder.name])
                if splits[folder.name] == TRAIN and not _has_classes(folder):
                    self._ask([folder], f"{folder.path}/ has no folder for each class inside")
        others = [each for each in folders if each.name not in splits]
        named = [each for each in folders if each.name in splits]
        if len(named) == 1 and (len(others) >= _MANY or len(_class_folders(named[0])) < _MANY):
            self._ask_for_only_split(named[0], others)
        for folder in others:
            self._beside_splits(folder, named)

    def _ask_for_only_split(self, folder: Folder, beside: Sequence[Folder]) -> None:
        """Ask about the only split of its level: it may be a class, such as a vehicle."""
        if beside:
            self._ask(
                [folder],
                f"{folder.path}/ is called like a split, but lies beside {_paths(beside)}, which "
                "may be classes",
            )

    def _beside_splits(self, folder: Folder, splits: Sequence[Folder]) -> None:
        """A folder beside splits that is not called like one."""
        if split_names(each.name for each in folder.filled) and self._repeats(folder, splits):
            return
        if _names([folder, *folder.filled]) & self._train_classes:
            self._ask(
                [folder],
                f"{folder.path}/ lies beside folders of splits, and is called like a class or has "
                "such folders inside",
            )
        self._leave_out(folder, "is neither a split nor a class")

    def _classes_beside_split(
        self, folders: Sequence[Folder], holders: Sequence[Folder], splits: Mapping[str, str]
    ) -> None:
        """Folders of classes beside test or validation folders with the same classes."""
        classes = [each for each in folders if each.name not in splits]
        names = _names(classes)
        if not classes:
            self._ask(
                holders, f"{_paths_have(holders)} classes, but no folder has training pictures"
            )
        self._classes(classes)
        for folder in holders:
            inner = _names(_class_folders(folder))
            if classes and not inner & names:
                self._ask(
                    [folder],
                    f"{folder.path}/ is called like a split, but the folders beside it are not "
                    "the classes that it has inside",
                )
            self._split(folder, splits[folder.name])
        for folder in folders:
            if folder.name in splits and folder not in holders:
                self._leave_out(folder, NO_CLASSES)

    # Splits with classes inside.

    def _split(self, folder: Folder, split: str) -> None:
        """A split, whose class folders may lie some folders deeper."""
        self._set(folder, split)
        self._classes_of_split(folder, split, folder)

    def _classes_of_split(self, folder: Folder, split: str, top: Folder) -> None:
        inside = folder.filled
        free = [each for each in inside if not self._take_fixed(each)]
        if not free:
            return
        nested = split_names(each.name for each in inside)
        if len(free) > 1 and len(nested) == len(free) and all(map(_has_classes, free)):
            self._split_level(free, nested)
            return
        if len(inside) == 1 and not self._is_class_of_train(free[0], split):
            (inner,) = free
            if inner.filled:
                self._set(inner, GROUP)
                self._classes_of_split(inner, split, top)
                return
            if _says_nothing(inner, folder):
                self._leave_out(inner, "is not a class, so its pictures have no label")
                return
        names = _names(free)
        if split == TRAIN:
            self._train_classes |= names
        elif self._train_classes and not names & self._train_classes:
            if all(is_generic_name(each.name) for each in free):
                for each in free:
                    self._leave_out(each, "is not a class of the training pictures")
                return
            self._ask([top], f"{top.path}/ has none of the classes of the training pictures")
        self._classes(free)

    def _is_class_of_train(self, folder: Folder, split: str) -> bool:
        return split != TRAIN and folder.name.casefold() in self._train_classes

    # Classes.

    def _class_level(self, folders: Sequence[Folder], splits: Mapping[str, str]) -> None:
        """Folders side by side that are classes, but for some."""
        named = [each for each in folders if each.name in splits]
        classes = [each for each in folders if each.name not in splits]
        for folder in classes:
            if is_unlabelled_name(folder.name) or (
                may_be_split_name(folder.name)
                and len(_class_folders(folder)) >= _MANY
                and not _splits_inside(folder)
            ):
                self._ask(
                    [folder],
                    f"{folder.path}/ is called like a part of a dataset, but lies beside folders "
                    "that look like classes",
                )
        if not classes and named:
            self._splits_without_classes(named)
            return
        for folder in named:
            self._split_beside_classes(folder, splits[folder.name], len(classes))
        self._ask_for_level(classes)
        self._classes(classes)

    def _splits_without_classes(self, named: Sequence[Folder]) -> None:
        self._ask(named, f"{_paths_have(named)} pictures, but no folder for each class inside")
        for folder in named:
            self._leave_out(folder, NO_CLASSES)

    def _split_beside_classes(self, folder: Folder, split: str, classes: int) -> None:
        """A folder without classes that is called like a split, beside folders of classes."""
        if split == TRAIN and classes >= _MANY:
            self._class(folder)  # a vehicle; a note says that it is called like a split
            return
        self._ask(
            [folder],
            f"{folder.path}/ is called like a split, has no class folders, and lies beside folders "
            "that look like classes",
        )
        self._leave_out(folder, NO_CLASSES)

    def _ask_for_level(self, classes: Sequence[Folder]) -> None:
        """Ask which folders are the classes where several hold folders of the same names."""
        with_splits = [each for each in classes if _splits_inside(each)]
        if with_splits and len(with_splits) == len(classes):
            unclear = [each for each in classes if each.files]
        else:
            counts = Counter(
                each.name.casefold() for folder in classes for each in _class_folders(folder)
            )
            repeated = sum(count > 1 for count in counts.values())
            unclear = list(classes) if with_splits or repeated >= _MANY else []
        if unclear:
            inner = {each.name for folder in unclear for each in _class_folders(folder)}
            self._ask(
                unclear,
                f"{_paths_have(unclear)} folders inside ({', '.join(sorted(inner)[:4])}), which "
                "may be classes, splits or something else",
            )

    def _classes(self, folders: Sequence[Folder]) -> None:
        """Folders side by side that are classes, unless one repeats the others."""
        for folder in folders:
            beside = [each for each in folders if each is not folder]
            if not self._repeats(folder, beside):
                self._class(folder)

    def _class(self, folder: Folder) -> None:
        """A class, or a group if a person said that a folder inside is a class."""
        inside = {self._fixed.get(each.path) for each in folder.walk() if each is not folder}
        if not inside.isdisjoint((CLASS, GROUP)):
            if self._fixed.get(folder.path) == CLASS:
                raise DataError(
                    f"The folder {folder.path}/ is set to be a class, so a folder inside cannot be "
                    "a class or a group. Make the outer folder a group, or the inner one a part."
                )
            self._set(folder, GROUP)
            self.group(folder)
            return
        self._set(folder, CLASS)
        splits = _splits_inside(folder)
        guessed = {each.path: splits.get(each.name) for each in folder.filled}
        for inner in folder.walk():
            role = self._fixed.get(inner.path) or guessed.get(inner.path)
            if inner is folder or not inner.pictures:
                continue
            if role in SPLITS:
                self._set(inner, role)
            elif role == UNUSED:
                self._leave_out(inner, _BY_HAND)

    # Helpers.

    def _repeats(self, folder: Folder, beside: Sequence[Folder]) -> bool:
        """Leave a folder out that holds the folders beside it once more; return whether it does."""
        if not folder.filled:
            return False
        names = _names(beside)
        inner = folder
        while inner.name not in names and len(inner.filled) == 1:
            inner = inner.filled[0]
        shared = _names(inner.filled) & names
        if not shared or len(shared) < min(_MANY, len(names)):
            return False
        if not _same_pictures(inner, beside):
            self._ask(
                [folder],
                f"{folder.path}/ has the folders beside it once more, but not the same pictures",
            )
        self._leave_out(folder, "repeats the folders beside it")
        return True

    def _ask(self, folders: Sequence[Folder], text: str) -> None:
        paths = tuple(each.path for each in folders)
        if not all(path in self._fixed for path in paths):
            self.found.questions.append(Question(paths, text))

    def _leave_out(self, folder: Folder, reason: str) -> None:
        self._set(folder, UNUSED)
        self.found.reasons[folder.path] = reason

    def _set(self, folder: Folder, role: str) -> None:
        self.found.roles[folder.path] = role


def _unwrapped(folder: Folder) -> Folder:
    """Return the first folder below that has more inside than one folder of folders."""
    while len(folder.filled) == 1 and folder.filled[0].filled:
        folder = folder.filled[0]
    return folder


def _class_folders(folder: Folder) -> list[Folder]:
    return _unwrapped(folder).filled


def _has_classes(folder: Folder) -> bool:
    """Return whether a split has class folders inside."""
    inner = _unwrapped(folder)
    return len(inner.filled) > 1 or any(not _says_nothing(each, inner) for each in inner.filled)


def _says_nothing(folder: Folder, outer: Folder) -> bool:
    """Return whether the only folder inside another is no class by its name."""
    is_same = folder.name.casefold() == outer.name.casefold()
    return is_same or is_generic_name(folder.name) or may_be_split_name(folder.name)


def _splits_inside(folder: Folder) -> dict[str, str]:
    """Return the splits inside a class folder; empty where it has other folders, too."""
    splits = split_names(each.name for each in folder.filled)
    is_complete = len(splits) == len(folder.filled) and not any(x.filled for x in folder.filled)
    return splits if is_complete and TRAIN in splits.values() else {}


def _same_pictures(folder: Folder, beside: Sequence[Folder]) -> bool:
    """Return whether all folders inside are beside it too, with at least the same pictures."""
    outer = {each.name: each for each in beside}
    return all(
        each.name in outer and each.picture_paths() <= outer[each.name].picture_paths()
        for each in folder.filled
    )


def _names(folders: Sequence[Folder]) -> set[str]:
    """Names without regard to capital letters."""
    return {folder.name.casefold() for folder in folders}


def _paths_have(folders: Sequence[Folder]) -> str:
    return f"{_paths(folders)} {'has' if len(folders) == 1 else 'have'}"


def _paths(folders: Sequence[Folder]) -> str:
    return listed([f"{folder.path}/" for folder in folders])

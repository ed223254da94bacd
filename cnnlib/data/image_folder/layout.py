"""Classes and splits of a user's own dataset, from its file paths."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from cnnlib.data.image_folder.folder_tree import Folder, folder_tree
from cnnlib.data.image_folder.roles import CLASS, NO_CLASSES, PART, UNUSED, Question, guess_roles
from cnnlib.data.image_folder.split_names import SPLITS, TEST, TRAIN, split_names
from cnnlib.data.paths import prepare_command
from cnnlib.errors import DataError
from cnnlib.units import listed, plural
from cnnlib.vocabulary.datasets import FOLDER_ROLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_CLASSES = 1_000
MAX_CLASS_NAME = 100
_NO_ROLES: Mapping[str, str] = MappingProxyType({})


class Placed(NamedTuple):
    """A file that may be a picture, with its class and split.

    Args:
        file: Its index in the list of paths.
        split: "train", "validation" or "test"; "train" for all if there are no such folders.
    """

    file: int
    label: int
    split: str


class Unused(NamedTuple):
    """A file that belongs to no class, and why.

    Args:
        file: Its index in the list of paths.
    """

    file: int
    reason: str


class FolderRole(NamedTuple):
    """A folder and what it was taken for.

    Args:
        role: One of `FOLDER_ROLES`.
        pictures: Number of files that may be pictures, with all folders below.
        reason: Why it is left out; "" for a used folder.
    """

    path: str
    role: str
    pictures: int
    reason: str


@dataclass(frozen=True)
class Layout:
    """Classes, pictures and notes that follow from the paths of a dataset.

    Args:
        classes: Sorted, in the order of their labels.
        placed: Files in class folders, in the order of the paths.
        unused: All other visible files, in the order of the paths.
        folders: The folders with pictures, each before those inside it, but for those inside a
            folder that is not used.
        questions: What the names do not decide; with one, the rest is a guess.
        notes: Sentences to show to the user.
    """

    classes: tuple[str, ...]
    placed: tuple[Placed, ...]
    unused: tuple[Unused, ...]
    folders: tuple[FolderRole, ...]
    questions: tuple[Question, ...]
    notes: tuple[str, ...]

    @property
    def splits(self) -> frozenset[str]:
        """The splits that have a picture."""
        return frozenset(placed.split for placed in self.placed)

    @property
    def has_test_split(self) -> bool:
        """Whether the dataset has test pictures of its own."""
        return TEST in self.splits

    def question(self, name: str) -> str:
        """Return the open questions and how to answer them, in sentences; "" without any.

        Args:
            name: The dataset, for the sentences.
        """
        if not self.questions:
            return ""
        unclear = "; ".join(question.text for question in self.questions)
        paths = {path: None for question in self.questions for path in question.paths}
        options = " ".join(f"--folder {shlex.quote(path)}=ROLE" for path in paths)
        return (
            f"The folders of {name} can be understood in several ways: {unclear}. Say what "
            f"they are on the Data page, under Folders, or with {prepare_command(name)} "
            f"{options} (one of {', '.join(FOLDER_ROLES)})."
        )

    def check_certain(self, name: str) -> None:
        """Check that no question is open.

        Raises:
            DataError: There are questions; see `question`.
        """
        if question := self.question(name):
            raise DataError(question)


def arrange(
    paths: Sequence[str],
    folders: Sequence[str] = (),
    roles: Mapping[str, str] = _NO_ROLES,
) -> Layout:
    """Assign files to classes, and to splits if there are folders for them.

    One folder is one class, with all pictures below it; see `guess_roles` for which folders are
    taken for classes and splits. Classes that differ only in capital letters are one class if they
    are in different splits. Hidden files and ``__MACOSX`` are ignored.

    Args:
        paths: Relative paths of files with ``/`` as separator.
        folders: Relative paths of folders, of which some may be empty.
        roles: Roles that a person gave to folders, by path.

    Raises:
        DataError: There are no class folders, too many, or one with an invalid name.
    """
    root = folder_tree(paths, folders)
    guessed = guess_roles(root, roles)
    sorter = _Sorter(guessed.roles, guessed.reasons)
    sorter.visit(root, TRAIN)
    names = _merged_names(sorter.files)
    classes = tuple(sorted({names[split, name] for split, name in sorter.files}))
    if not guessed.questions:
        _check_classes(classes, root, sorter)
    labels = {name: label for label, name in enumerate(classes)}
    placed = sorted(
        Placed(file, labels[names[split, name]], split)
        for (split, name), files in sorter.files.items()
        for file in files
    )
    missing = sorted(set(roles) - {folder.path for folder in root.walk()})
    return Layout(
        classes,
        tuple(placed),
        tuple(sorted(sorter.unused)),
        tuple(sorter.rows),
        tuple(guessed.questions),
        tuple(_notes(sorter, classes, paths, missing)),
    )


@dataclass
class _Sorter:
    """Files by split and class, from the roles of the folders."""

    roles: Mapping[str, str]
    reasons: Mapping[str, str]
    files: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    unused: list[Unused] = field(default_factory=list)
    strays: list[int] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)  # reason -> pictures
    rows: list[FolderRole] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    nested: list[str] = field(default_factory=list)

    def visit(self, folder: Folder, split: str) -> None:
        """Sort the files of a folder that holds classes or splits."""
        if folder.filled or not folder.path:
            self.strays += [file.place for file in folder.files]
            self._leave_out(folder, "it is not inside a class folder")
        else:
            self._leave_out_all(folder, NO_CLASSES)
            return
        for name in sorted(folder.folders):
            inner = folder.folders[name]
            role = self.roles.get(inner.path, "")
            if role:
                is_unlabelled = role in SPLITS and not inner.filled
                row = self._row(inner, role)
                self.rows.append(row._replace(reason=NO_CLASSES) if is_unlabelled else row)
            if role == CLASS:
                self._class(inner, inner.name, split, top=inner)
            elif role == UNUSED:
                self._leave_out_all(inner, self.reasons[inner.path])
            elif role:
                self.visit(inner, role if role in SPLITS else split)
            else:
                self.empty.append(inner.path)
                self._leave_out_all(inner, "")

    def _class(self, folder: Folder, name: str, split: str, top: Folder) -> None:
        """Sort the files of a class folder, or of a folder inside one."""
        if folder.files:
            self.files.setdefault((split, name), []).extend(file.place for file in folder.files)
        self.unused += [Unused(file.place, "it is not a picture") for file in folder.others]
        if folder.filled and folder is top and not self.roles.get(folder.filled[0].path):
            self.nested.append(folder.path)
        for inner_name in sorted(folder.folders):
            inner = folder.folders[inner_name]
            role = self.roles.get(inner.path, "")
            if inner.pictures:
                self.rows.append(self._row(inner, role or PART))
            if role == UNUSED:
                self._leave_out_all(inner, self.reasons[inner.path])
            else:
                self._class(inner, name, role if role in SPLITS else split, top)

    def _row(self, folder: Folder, role: str) -> FolderRole:
        return FolderRole(folder.path, role, folder.pictures, self.reasons.get(folder.path, ""))

    def _leave_out(self, folder: Folder, reason: str) -> None:
        """Leave out the files directly inside; those that are no picture for that reason."""
        self.unused += [Unused(file.place, reason) for file in folder.files]
        self.unused += [Unused(file.place, "it is not a picture") for file in folder.others]

    def _leave_out_all(self, folder: Folder, reason: str) -> None:
        reason = f"{folder.path}/ {reason}"
        if folder.pictures:
            self.left_out[reason] = folder.pictures
        for each in folder.walk():
            self._leave_out(each, reason)


def _merged_names(files: Mapping[tuple[str, str], list[int]]) -> dict[tuple[str, str], str]:
    """Return the class of each folder of a split.

    A name that another split spells with other capital letters is the same class, unless one split
    has both spellings.
    """
    spellings: dict[str, set[str]] = {}
    per_split: Counter[tuple[str, str]] = Counter()
    for split, name in files:
        spellings.setdefault(name.casefold(), set()).add(name)
        per_split[split, name.casefold()] += 1
    merged = {}
    for split, name in files:
        folded = name.casefold()
        is_apart = any(per_split[each, folded] > 1 for each in SPLITS)
        own = {each for where, each in files if where == TRAIN and each.casefold() == folded}
        merged[split, name] = name if is_apart else min(own or spellings[folded])
    return merged


def _check_classes(classes: Sequence[str], root: Folder, sorter: _Sorter) -> None:
    if not any(split == TRAIN for split, _ in sorter.files) and (classes or sorter.left_out):
        raise DataError(
            f"None of {plural(root.pictures, 'picture')} is a training picture, and training needs "
            f"at least one: {_missing_training(sorter)}. Use a folder of classes for training."
        )
    if not classes:
        found = "No picture was found"
        if root.pictures:
            found = f"{plural(root.pictures, 'picture')} found, but not inside a folder of a class"
        elif others := [file.name for folder in root.walk() for file in folder.others]:
            found += f" among {plural(len(others), 'file')} ({listed(others)})"
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
        if not name or len(name) > MAX_CLASS_NAME or not name.isprintable():
            raise DataError(
                f"The class folder {name[:MAX_CLASS_NAME]!r} is not a valid name: class names "
                f"have 1 to {MAX_CLASS_NAME} printable characters. Rename the folder."
            )


def _missing_training(sorter: _Sorter) -> str:
    """Say what all pictures are instead of training pictures."""
    counts = Counter({split: 0 for split, _ in sorter.files})
    for (split, _), files in sorter.files.items():
        counts[split] += len(files)
    parts = [f"{count:,} {FOLDER_ROLES[split]}" for split, count in counts.items()]
    return "; ".join([*parts, *sorter.left_out])


def _notes(
    sorter: _Sorter,
    classes: Sequence[str],
    paths: Sequence[str],
    missing: Sequence[str],
) -> list[str]:
    notes = []
    folded = Counter(name.casefold() for name in classes)
    twins = [name for name in classes if folded[name.casefold()] > 1]
    if twins:
        notes.append(
            f"Names that differ only in capital letters are separate classes: {', '.join(twins)}."
        )
    if merged := sorted({name for _, name in sorter.files} - set(classes)):
        notes.append(f"Taken for the same class with other capital letters: {listed(merged)}.")
    if like_splits := [name for name in classes if split_names([name])]:
        notes.append(
            f"{listed(like_splits)} {_verb(like_splits)} called like a split, but taken for a "
            "class."
        )
    if spaced := [row.path for row in sorter.rows if _has_outer_space(row.path)]:
        notes.append(
            "Spaces before and after the names of folders are ignored: "
            f"{listed([repr(path) for path in spaced])}."
        )
    if sorter.nested:
        notes.append(
            f"Folders inside a class belong to it: {listed([f'{x}/' for x in sorter.nested])}."
        )
    if sorter.strays:
        strays = [paths[index] for index in sorter.strays]
        notes.append(f"Left out, because not inside a class folder: {listed(strays)}.")
    notes += [
        f"Left out: {plural(count, 'picture')}, because {reason}."
        for reason, count in sorter.left_out.items()
    ]
    if sorter.empty:
        notes.append(f"Without a picture: {listed([f'{x}/' for x in sorter.empty])}.")
    if missing:
        notes.append(f"Not there any more: {listed(missing)}.")
    return notes


def _has_outer_space(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name != name.strip()


def _verb(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"

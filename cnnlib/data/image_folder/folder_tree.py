"""The folders of a user's own dataset as a tree, with the files of each."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from cnnlib.data.image_folder.sources import is_visible, may_be_picture

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence


class File(NamedTuple):
    """A file by its place in the list of paths, with its name."""

    place: int
    name: str


@dataclass
class Folder:
    """A folder with its files and folders.

    Args:
        path: Below the dataset's own folder, with "/" and composed characters; "" for that folder.
        files: The files directly inside that may be pictures.
        others: The other files directly inside, such as texts.
        pictures: Number of files that may be pictures, with all folders below.
    """

    path: str = ""
    files: list[File] = field(default_factory=list)
    others: list[File] = field(default_factory=list)
    folders: dict[str, Folder] = field(default_factory=dict)
    pictures: int = 0

    @property
    def name(self) -> str:
        """Name without the folders above, and without spaces before and after it."""
        return self.path.rpartition("/")[2].strip()

    @property
    def filled(self) -> list[Folder]:
        """The folders inside that have a picture anywhere below, in order of their names."""
        return [self.folders[name] for name in sorted(self.folders) if self.folders[name].pictures]

    def walk(self) -> Generator[Folder]:
        """Yield this folder and all below, each before those inside it."""
        yield self
        for name in sorted(self.folders):
            yield from self.folders[name].walk()

    def picture_paths(self) -> set[str]:
        """Return the paths of all pictures below, relative to this folder."""
        return {
            f"{folder.path}/{file.name}"[len(self.path) :]
            for folder in self.walk()
            for file in folder.files
        }


def folder_tree(paths: Sequence[str], folders: Sequence[str] = ()) -> Folder:
    """Build the tree of the visible files.

    Args:
        paths: Files, relative, with "/" as separator.
        folders: Folders, of which some may be empty.
    """
    root = Folder()
    known: dict[str, Folder | None] = {"": root}
    for path in folders:
        _folder(root, path, known)
    for index, path in enumerate(paths):
        above, _, name = path.rpartition("/")
        folder = _folder(root, above, known)
        if folder is not None and is_visible(name):
            file = File(index, unicodedata.normalize("NFC", name))
            (folder.files if may_be_picture(name) else folder.others).append(file)
    _count(root)
    return root


def _folder(root: Folder, path: str, known: dict[str, Folder | None]) -> Folder | None:
    """Return the folder of a path, made if it is new; None if it is hidden."""
    if path not in known:
        parts = [part for part in unicodedata.normalize("NFC", path).split("/") if part]
        known[path] = _inside(root, parts) if all(map(is_visible, parts)) else None
    return known[path]


def _inside(root: Folder, parts: Sequence[str]) -> Folder:
    folder = root
    for part in parts:
        path = f"{folder.path}/{part}" if folder.path else part
        folder = folder.folders.setdefault(part, Folder(path))
    return folder


def _count(folder: Folder) -> int:
    folder.pictures = len(folder.files) + sum(map(_count, folder.folders.values()))
    return folder.pictures

"""Drawings that a person named: a collection of them, which is a dataset of its own."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from cnnlib.data.image_folder.image_decoder import BrokenPicture, decode
from cnnlib.data.image_folder.sources import FolderOptions, is_visible
from cnnlib.data.paths import UPLOADS
from cnnlib.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.folders import Folders

DRAWING = "drawing-"  # what a drawing's file name begins with
_SIGNS_OF_OWNER = 6  # of an owner's name, in that of their collection
_LONGEST, _LONGEST_BYTES = 70, 200  # of a name inside of another: see `check_dataset_name`


@dataclass(frozen=True, eq=False)
class Drawings:
    """Drawings with the classes that a person gave them.

    Args:
        pictures: N x C x H x W, uint8.
        labels: N, int64.
    """

    pictures: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def collection_name(dataset: str, owner: str = "") -> str:
    """The dataset that collects drawings for networks that were trained on ``dataset``.

    Args:
        owner: In class mode, whose drawings; each owner has a collection of their own.
    """
    whose = f" ({owner[-_SIGNS_OF_OWNER:]})" if owner else ""
    return f"folder:drawings for {short_name(dataset)}{whose}"


def save_drawing(
    picture: np.ndarray, label: int, info: DatasetInfo, folders: Folders, owner: str = ""
) -> Path:
    """Put a drawing into the collection; returns its file.

    Args:
        picture: C x H x W, uint8, as the network saw it.
        label: The class that a person gave it.
        info: Of the dataset with these classes.

    Raises:
        DataError: It cannot be written.
    """
    root = folder_of(collection_name(info.name, owner), folders)
    folder = root / class_folders(info.classes)[label]
    try:
        write_options(root, info)
        folder.mkdir(parents=True, exist_ok=True)
        return _write_drawing(folder, png(picture))
    except OSError as error:
        raise DataError(
            f"The drawing could not be kept in {folder} ({error}). Make room there, and try again."
        ) from error


def saved_drawings(info: DatasetInfo, folders: Folders, owner: str = "") -> Drawings:
    """What was collected for networks with these classes, at the size that they take."""
    root = folder_of(collection_name(info.name, owner), folders)
    return read_drawings(root, info)


def collections(folders: Folders) -> dict[str, dict[str, int]]:
    """Every collection by its name as a dataset: drawings of each class, by the class's folder."""
    roots = sorted((folders.runs / UPLOADS).glob(f"{_own(collection_name(''))}*"))
    return {
        f"folder:{root.name}": {
            folder.name: count
            for folder in sorted(root.iterdir())
            if (count := len(list(folder.glob(f"{DRAWING}*.png"))))
        }
        for root in roots
        if root.is_dir()
    }


def drawings_zip(info: DatasetInfo, folders: Folders, owner: str = "") -> bytes:
    """The collection as a zip with one folder per class."""
    root = folder_of(collection_name(info.name, owner), folders)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(root.rglob("*.png")):
            archive.write(path, path.relative_to(root).as_posix())
    return out.getvalue()


def class_folders(classes: tuple[str, ...]) -> list[str]:
    """Names of folders that give the classes the same labels again.

    Classes are their folders' names in sorted order. Names that are sorted and can be folders stay;
    others get a number before them.

    Example:
        >>> class_folders(("0", "1"))
        ['0', '1']
        >>> class_folders(("T-shirt/top", "Bag"))
        ['000 T-shirt-top', '001 Bag']
    """
    plain = all(is_visible(name) and not set(name) & set('<>:"/\\|?*') for name in classes)
    if plain and list(classes) == sorted(classes):
        return list(classes)
    safe = ["".join("-" if c in '<>:"/\\|?*' else c for c in name) for name in classes]
    return [f"{label:03} {name}" for label, name in enumerate(safe)]


def short_name(dataset: str) -> str:
    """The name of a dataset, short enough that a name around it can be one too."""
    own = _own(dataset)
    if len(own) <= _LONGEST and len(own.encode()) <= _LONGEST_BYTES:
        return own
    return f"{own[:50]} {hashlib.blake2b(own.encode(), digest_size=4).hexdigest()}"


def folder_of(name: str, folders: Folders) -> Path:
    """Where the pictures of a collection or a lesson lie, by its name as a dataset."""
    return folders.runs / UPLOADS / _own(name)


def write_options(root: Path, info: DatasetInfo, mode: str = "w") -> None:
    """Beside the folder, as uploads have it: pictures keep their size and channels."""
    root.parent.mkdir(parents=True, exist_ok=True)
    options = FolderOptions(info.in_size[1], info.in_size[0])
    with options_file(root).open(mode, encoding="utf-8") as file:
        json.dump(options.to_dict(), file)


def options_file(root: Path) -> Path:
    """What `write_options` writes, for the folder ``root``."""
    return root.with_name(f"{root.name}.json")


def read_drawings(root: Path, info: DatasetInfo) -> Drawings:
    """The drawings below a folder, at the size of a dataset; what was half written is left out."""
    channels, size, _ = info.in_size
    pictures, labels = [], []
    for label, name in enumerate(class_folders(info.classes)):
        for path in sorted((root / name).glob(f"{DRAWING}*.png")):
            with suppress(OSError, BrokenPicture):
                pictures.append(decode(path.read_bytes(), size, channels))
                labels.append(label)
    stacked = np.stack(pictures) if pictures else np.zeros((0, *info.in_size), np.uint8)
    return Drawings(stacked, np.array(labels, np.int64))


def png(picture: np.ndarray) -> bytes:
    """A picture (C x H x W, uint8) as the bytes of a PNG file."""
    pixels = picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0)
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "PNG")
    return out.getvalue()


def _write_drawing(folder: Path, content: bytes) -> Path:
    """Write the next drawing of a class; returns its file."""
    number = len(list(folder.glob(f"{DRAWING}*.png"))) + 1
    while True:
        path = folder / f"{DRAWING}{number:04}.png"
        with suppress(FileExistsError), path.open("xb") as file:
            file.write(content)
            return path
        number += 1


def _own(dataset: str) -> str:
    return dataset.removeprefix("folder:")

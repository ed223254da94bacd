"""Collections of labelled drawings, each stored as a dataset of class folders."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
from PIL import Image

from cnnlib.data.image_folder.image_decoder import BrokenPicture, decode
from cnnlib.data.image_folder.sources import FolderOptions, is_visible
from cnnlib.data.stored_datasets import push_upload
from cnnlib.errors import DataError
from cnnlib.records.folders import UPLOADS

if TYPE_CHECKING:
    from pathlib import Path

    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.folders import Folders

DRAWING = "drawing-"  # prefix of a drawing's file name
_OWNER_CHARS = 6  # last characters of the owner's id in the name of a collection
_MAX_CHARS, _MAX_BYTES = 70, 200  # of a name within a longer one: see `check_dataset_name`


@dataclass(frozen=True, eq=False)
class Drawings:
    """Drawings with their labels.

    Args:
        pictures: N x C x H x W, uint8.
        labels: N, int64.
    """

    pictures: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def collection_name(dataset: str, owner: str = "") -> str:
    """Return the dataset name of the drawings for networks trained on ``dataset``.

    Args:
        owner: Owner of the drawings in class mode; each owner has a separate collection.
    """
    suffix = f" ({owner[-_OWNER_CHARS:]})" if owner else ""
    return f"folder:drawings for {short_name(dataset)}{suffix}"


def save_drawing(
    picture: np.ndarray, label: int, info: DatasetInfo, folders: Folders, owner: str = ""
) -> Path:
    """Add a drawing to the collection and return its file.

    Args:
        picture: C x H x W, uint8, as prepared for the network.
        label: The class that the user chose.
        info: Of the dataset with these classes.

    Raises:
        DataError: It cannot be written.
    """
    root = dataset_folder(collection_name(info.name, owner), folders)
    folder = root / class_folders(info.classes)[label]
    try:
        write_options(root, info)
        folder.mkdir(parents=True, exist_ok=True)
        path = _write_drawing(folder, png(picture), uuid4().hex if folders.files else "")
    except OSError as error:
        raise DataError(
            f"The drawing could not be saved in {folder} ({error}). Free some space, and try again."
        ) from error
    push_upload(options_file(root), folders)
    push_upload(path, folders)
    return path


def saved_drawings(info: DatasetInfo, folders: Folders, owner: str = "") -> Drawings:
    """Read the collection for networks with these classes, resized to their input size."""
    root = dataset_folder(collection_name(info.name, owner), folders)
    return read_drawings(root, info)


def collections(folders: Folders) -> dict[str, dict[str, int]]:
    """Count the drawings of each collection: dataset name -> class folder -> drawings."""
    roots = sorted((folders.runs / UPLOADS).glob(f"{_strip_prefix(collection_name(''))}*"))
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
    """Pack the collection as a zip with one folder per class."""
    root = dataset_folder(collection_name(info.name, owner), folders)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(root.rglob("*.png")):
            archive.write(path, path.relative_to(root).as_posix())
    return out.getvalue()


def class_folders(classes: tuple[str, ...]) -> list[str]:
    """Return folder names whose sorted order is the order of the classes.

    Names that are sorted and valid folder names are kept; otherwise all names get their label as a
    prefix.

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
    """Shorten a dataset name, so that a longer name that contains it is valid too."""
    name = _strip_prefix(dataset)
    if len(name) <= _MAX_CHARS and len(name.encode()) <= _MAX_BYTES:
        return name
    return f"{name[:50]} {hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}"


def dataset_folder(name: str, folders: Folders) -> Path:
    """Return the folder of a collection or a fine-tuning dataset, by its dataset name."""
    return folders.runs / UPLOADS / _strip_prefix(name)


def write_options(root: Path, info: DatasetInfo, mode: str = "w") -> None:
    """Write the options file of a folder, with the size and channels of the pictures."""
    root.parent.mkdir(parents=True, exist_ok=True)
    options = FolderOptions(info.in_size[1], info.in_size[0])
    with options_file(root).open(mode, encoding="utf-8") as file:
        json.dump(options.to_dict(), file)


def options_file(root: Path) -> Path:
    """Return the options file of the folder ``root``, which `write_options` writes."""
    return root.with_name(f"{root.name}.json")


def read_drawings(root: Path, info: DatasetInfo) -> Drawings:
    """Read the drawings in a folder, resized to a dataset's size; damaged files are skipped."""
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
    """Encode a picture (C x H x W, uint8) as PNG."""
    pixels = picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0)
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "PNG")
    return out.getvalue()


def _write_drawing(folder: Path, content: bytes, mark: str) -> Path:
    """Write the next drawing of a class and return its file.

    Args:
        mark: Distinguishes drawings that several machines save at once; "" on one machine.
    """
    number = len(list(folder.glob(f"{DRAWING}*.png"))) + 1
    while True:
        path = folder / f"{DRAWING}{number:04}{mark and '-'}{mark}.png"
        with suppress(FileExistsError), path.open("xb") as file:
            file.write(content)
            return path
        number += 1


def _strip_prefix(dataset: str) -> str:
    return dataset.removeprefix("folder:")

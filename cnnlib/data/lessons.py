"""Drawings that a person named: collected in a dataset of one's own, and made into a lesson.

The collection grows; a lesson is a copy of it that never changes, so that a run that was taught
with it can be repeated. A lesson also holds pictures of the dataset that the network knows: without
them it would forget what it is not shown (rehearsal; Robins, "Catastrophic forgetting, rehearsal
and pseudorehearsal", 1995).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from cnnlib.data.pictures import BrokenPicture, decode
from cnnlib.data.places import UPLOADS
from cnnlib.data.prepared import Prepared
from cnnlib.data.sources import FolderOptions, is_visible
from cnnlib.errors import DataError
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.folders import Folders

REHEARSED = 30  # pictures of each class that is known, to train; a third of that to test
KEPT_APART = 4  # every so manieth drawing of a class is not trained on
_MOST_COPIES = 40  # of one drawing
_SIGNS_OF_OWNER = 6  # of an owner's name, in that of their collection
_DRAWING = "drawing-"  # what a drawing's file name begins with
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
    return f"folder:drawings for {_short(dataset)}{whose}"


def keep_drawing(
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
    root = _folder(collection_name(info.name, owner), folders)
    folder = root / class_folders(info.classes)[label]
    try:
        _write_options(root, info)
        folder.mkdir(parents=True, exist_ok=True)
        return _write_drawing(folder, _png(picture))
    except OSError as error:
        raise DataError(
            f"The drawing could not be kept in {folder} ({error}). Make room there, and try again."
        ) from error


def kept_drawings(info: DatasetInfo, folders: Folders, owner: str = "") -> Drawings:
    """What was collected for networks with these classes, at the size that they take."""
    root = _folder(collection_name(info.name, owner), folders)
    return _read(root, info)


def collections(folders: Folders) -> dict[str, dict[str, int]]:
    """Every collection by its name as a dataset: drawings of each class, by the class's folder."""
    roots = sorted((folders.runs / UPLOADS).glob(f"{_own(collection_name(''))}*"))
    return {
        f"folder:{root.name}": {
            folder.name: count
            for folder in sorted(root.iterdir())
            if (count := len(list(folder.glob(f"{_DRAWING}*.png"))))
        }
        for root in roots
        if root.is_dir()
    }


def drawings_zip(info: DatasetInfo, folders: Folders, owner: str = "") -> bytes:
    """The collection as a zip with one folder per class."""
    root = _folder(collection_name(info.name, owner), folders)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(root.rglob("*.png")):
            archive.write(path, path.relative_to(root).as_posix())
    return out.getvalue()


def make_lesson(prepared: Prepared, folders: Folders, seed: int = 0, owner: str = "") -> str:
    """Write a lesson from the collection; returns its name as a dataset.

    Every fourth drawing of a class is kept apart, in the test split. The others are repeated until
    they are about a quarter of what is trained on.

    Raises:
        DataError: Nothing was collected yet, or it cannot be written.
    """
    info = prepared.info
    drawings = kept_drawings(info, folders, owner)
    if not len(drawings):
        raise DataError(
            f"No drawing was kept for {info.title} yet, so there is nothing to teach. Draw "
            "something, name its class, and keep it."
        )
    try:
        name = _reserve_name(info, folders)
        with _replacing(_folder(name, folders)) as unfinished:
            _write_known(unfinished, prepared, seed)
            _write_drawings(unfinished, drawings, info)
    except OSError as error:
        raise DataError(
            f"The lesson could not be written to {folders.runs / UPLOADS} ({error}). Make room "
            "there, and try again."
        ) from error
    return name


def lesson_drawings(name: str, info: DatasetInfo, folders: Folders, split: str) -> Drawings:
    """The drawings of a lesson, each once.

    Args:
        info: Of the dataset that the network knew before.
        split: "train", or "test" for those that were kept apart.
    """
    return _read(_folder(name, folders) / split, info)


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


def _write_known(root: Path, prepared: Prepared, seed: int) -> None:
    """Pictures of every class that is known, drawn by seed."""
    rng = np.random.default_rng(seed)
    names = class_folders(prepared.info.classes)
    splits = {
        "train": (prepared.train_images, prepared.train_labels, REHEARSED),
        "test": (prepared.test_images, prepared.test_labels, REHEARSED // 3),
    }
    for split, (images, labels, most) in splits.items():
        for label, name in enumerate(names):
            folder = root / split / name
            folder.mkdir(parents=True)
            its = np.flatnonzero(labels == label)
            for index in rng.permutation(its)[:most]:
                (folder / f"known-{index:06}.png").write_bytes(_png(images[index]))


def _write_drawings(root: Path, drawings: Drawings, info: DatasetInfo) -> None:
    """Each drawing once where it is kept apart, else so often that it counts."""
    names = class_folders(info.classes)
    copies = -(-REHEARSED * len(names) // 3 // len(drawings))
    copies = max(1, min(_MOST_COPIES, copies))
    seen = dict.fromkeys(range(len(names)), 0)
    for picture, label in zip(drawings.pictures, drawings.labels, strict=True):
        seen[int(label)] += 1
        number, content = seen[int(label)], _png(picture)
        split = "test" if number % KEPT_APART == 0 else "train"
        folder = root / split / names[label]
        (folder / f"{_DRAWING}{number:04}.png").write_bytes(content)
        for copy in range(1, copies if split == "train" else 1):
            (folder / f"again-{number:04}-{copy:02}.png").write_bytes(content)


@contextmanager
def _replacing(root: Path) -> Iterator[Path]:
    """A folder that gets the name of `root` once it is whole; nothing is left where that fails."""
    unfinished = root.with_name(f".{root.name}")
    try:
        yield unfinished
        os.replace(unfinished, root)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        _options_file(root).unlink(missing_ok=True)
        raise


def _reserve_name(info: DatasetInfo, folders: Folders) -> str:
    """The first free name of a lesson; whoever makes one at the same time finds it taken."""
    number = 1
    while True:
        name = f"folder:lesson {number} for {_short(info.name)}"
        root = _folder(name, folders)
        if not root.exists():
            with suppress(FileExistsError):
                _write_options(root, info, "x")
                return name
        number += 1


def _write_drawing(folder: Path, content: bytes) -> Path:
    """Write the next drawing of a class; returns its file."""
    number = len(list(folder.glob(f"{_DRAWING}*.png"))) + 1
    while True:
        path = folder / f"{_DRAWING}{number:04}.png"
        with suppress(FileExistsError), path.open("xb") as file:
            file.write(content)
            return path
        number += 1


def _own(dataset: str) -> str:
    return dataset.removeprefix("folder:")


def _short(dataset: str) -> str:
    """The name of a dataset, short enough that a name around it can be one too."""
    own = _own(dataset)
    if len(own) <= _LONGEST and len(own.encode()) <= _LONGEST_BYTES:
        return own
    return f"{own[:50]} {hashlib.blake2b(own.encode(), digest_size=4).hexdigest()}"


def _folder(name: str, folders: Folders) -> Path:
    return folders.runs / UPLOADS / _own(name)


def _write_options(root: Path, info: DatasetInfo, mode: str = "w") -> None:
    """Beside the folder, as uploads have it: pictures keep their size and channels."""
    root.parent.mkdir(parents=True, exist_ok=True)
    options = FolderOptions(info.in_size[1], info.in_size[0])
    with _options_file(root).open(mode, encoding="utf-8") as file:
        json.dump(options.to_dict(), file)


def _options_file(root: Path) -> Path:
    return root.with_name(f"{root.name}.json")


def _read(root: Path, info: DatasetInfo) -> Drawings:
    """The drawings below a folder, at the size of a dataset; what was half written is left out."""
    channels, size, _ = info.in_size
    pictures, labels = [], []
    for label, name in enumerate(class_folders(info.classes)):
        for path in sorted((root / name).glob(f"{_DRAWING}*.png")):
            with suppress(OSError, BrokenPicture):
                pictures.append(decode(path.read_bytes(), size, channels))
                labels.append(label)
    stacked = np.stack(pictures) if pictures else np.zeros((0, *info.in_size), np.uint8)
    return Drawings(stacked, np.array(labels, np.int64))


def _png(picture: np.ndarray) -> bytes:
    pixels = picture[0] if len(picture) == 1 else picture.transpose(1, 2, 0)
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(out, "PNG")
    return out.getvalue()

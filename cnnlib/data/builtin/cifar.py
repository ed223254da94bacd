"""Reader of CIFAR-10 and CIFAR-100: pickles in a folder or in a tar archive, packed anyhow.

A pickle can run any code when it is loaded. Each one is loaded only if it has its published MD5.
"""

from __future__ import annotations

import hashlib
import pickle
import tarfile
import warnings
import zlib
from typing import TYPE_CHECKING

import numpy as np

from cnnlib.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

# Name and MD5 of the pickles of each split, as torchvision publishes them.
PARTS = {
    "cifar10": {
        "train": {
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        },
        "test": {"test_batch": "40351d587109b95175f43aff81a1287e"},
    },
    "cifar100": {
        "train": {"train": "16019d7e3df5f24257cddd939b257f8d"},
        "test": {"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
    },
}
_LARGEST_PART_BYTES = 1 << 28
_READ_ERRORS = (OSError, EOFError, zlib.error, tarfile.TarError)


def cifar_problem(name: str, path: Path) -> str:
    """Return why a folder or an archive cannot be used, in a sentence; "" if it can be used.

    All parts are read and hashed, which takes seconds.
    """
    wanted = expected_md5s(name)
    try:
        found = {part: _md5(content) for part, content in _contents(path, set(wanted))}
    except _READ_ERRORS as error:
        return (
            f"{path} cannot be read ({error}). The file may be incomplete: copy it again, or "
            "delete it to download it again."
        )
    missing = sorted(wanted.keys() - found.keys())
    changed = sorted(part for part, md5 in found.items() if md5 != wanted[part])
    if not missing and not changed:
        return ""
    parts = [f"{part} is missing" for part in missing]
    parts += [f"{part} differs from the published file" for part in changed]
    return (
        f"{path} is not used: {', '.join(parts)}. Its files are pickles, which can run any code, "
        "so only the published ones are opened. Copy the original archive, or delete it to "
        "download it again."
    )


def read_cifar(name: str, path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Read the pictures (N x 3 x 32 x 32, uint8) and the labels of both splits.

    Raises:
        DataError: A part does not have its published MD5, or cannot be read.
    """
    expected = expected_md5s(name)
    entries = {}
    try:
        for part, content in _contents(path, set(expected)):
            if _md5(content) != expected[part]:
                raise _changed(path)
            entries[part] = _load(content)
    except _READ_ERRORS as error:
        raise _changed(path) from error
    if entries.keys() != expected.keys():
        raise _changed(path)
    return {
        split: (
            np.concatenate([entries[part][0] for part in parts]),
            np.concatenate([entries[part][1] for part in parts]),
        )
        for split, parts in PARTS[name].items()
    }


def _load(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    with warnings.catch_warnings():
        # The published files describe their numbers in the way of an early numpy.
        warnings.filterwarnings("ignore", message=r"dtype\(\): align should be passed")
        entry = pickle.loads(content, encoding="latin1")
    labels = entry["labels"] if "labels" in entry else entry["fine_labels"]
    return entry["data"].reshape(-1, 3, 32, 32), np.asarray(labels)


def _contents(path: Path, wanted: set[str]) -> Generator[tuple[str, bytes]]:
    """Yield the names and contents of the wanted parts, one after the other."""
    if path.is_dir():
        for part in sorted(wanted):
            if (path / part).is_file():
                with (path / part).open("rb") as opened:
                    yield part, opened.read(_LARGEST_PART_BYTES)
        return
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            part = member.name.rpartition("/")[2]
            if part in wanted and member.isfile():
                file = archive.extractfile(member)
                assert file is not None, "a regular file has content"
                yield part, file.read(_LARGEST_PART_BYTES)


def expected_md5s(name: str) -> dict[str, str]:
    """Return the published MD5 of each part."""
    return {part: md5 for split in PARTS[name].values() for part, md5 in split.items()}


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _changed(path: Path) -> DataError:
    return DataError(
        f"{path} was removed or changed during the preparation. Prepare the dataset again."
    )

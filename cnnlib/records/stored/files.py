"""Where the files of the run store lie: the folder of runs, or an object store.

A file has a key, a relative path such as ``files/<run>/snapshot-00000100.safetensors``; the keys
are declared in `cnnlib.records.folders`. Files are written to the folder of runs under their key.
`FolderFiles` leaves them there; `ObjectFiles` uploads them.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cnnlib.errors import FileMissing


@dataclass(frozen=True)
class StoredFile:
    """A stored file as it is listed.

    Args:
        modified: Seconds since 1970.
    """

    key: str
    size_bytes: int
    modified: float


class Files(Protocol):
    """The files of a run store.

    Raises:
        FilesUnreachable: (all methods) The place cannot be reached, read or written.
    """

    is_remote: bool

    def put(self, key: str, path: Path) -> None:
        """Store a file under a key, replacing an older one; return when it is durable.

        A reader of the key sees the old content or the new one, never a part.
        """

    def fetch(self, key: str, *, refresh: bool = False) -> Path:
        """Return the path of a local file with the content; it must not be changed.

        Args:
            refresh: The content of this key may have changed since it was fetched.

        Raises:
            FileMissing: There is no such file.
        """

    def copy_to(self, key: str, path: Path) -> None:
        """Copy the content to a local path, which gets it as a whole.

        Raises:
            FileMissing: There is no such file.
        """

    def names(self, prefix: str = "") -> list[StoredFile]:
        """List all files below a prefix ("" or one that ends with a slash), in order of their keys.

        Files with a part of their key that begins with a dot are temporary, and left out.
        """

    def remove(self, keys: Iterable[str]) -> None:
        """Remove files, and all below a key that ends with a slash; missing ones are no error."""

    def trim_cache(self, prefix: str, before: float) -> None:
        """Delete local copies below a prefix that were not read since a time (since 1970)."""


def is_listed(key: str) -> bool:
    """Return whether a key is that of a complete file."""
    return not any(part.startswith(".") for part in key.split("/"))


def remove_path(path: Path, *, is_folder: bool) -> None:
    """Remove a file or a folder; a missing one is no error."""
    if not is_folder:
        path.unlink(missing_ok=True)
    elif path.exists():
        shutil.rmtree(path)


def file_missing(key: str, place: str) -> FileMissing:
    """Return the error for a key without a file."""
    return FileMissing(
        f"{key.rpartition('/')[2]} is not in {place}: it was deleted. Choose another saved step or "
        f"another run. (Key: {key}.)"
    )

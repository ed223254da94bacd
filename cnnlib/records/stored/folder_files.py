"""Files that stay in the folder of runs."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from cnnlib.errors import FileMissing, FilesUnreachable
from cnnlib.records.files import copy_file, replacing
from cnnlib.records.stored.files import StoredFile, file_missing, is_listed, remove_path


class FolderFiles:
    """Files in a folder, which several machines may share; they are read where they lie."""

    is_remote = False

    def __init__(self, root: Path) -> None:
        self._root = root

    def __str__(self) -> str:
        return str(self._root)

    def create(self) -> None:
        """Create the folder."""
        with _reachable(self):
            self._root.mkdir(parents=True, exist_ok=True)

    def put(self, key: str, path: Path) -> None:
        """Store a file; one that was written to its place stays as it is."""
        if (target := self._root / key) != path:
            with _reachable(self):
                target.parent.mkdir(parents=True, exist_ok=True)
                with replacing(target) as file:
                    copy_file(path, file)

    def fetch(self, key: str, *, refresh: bool = False) -> Path:
        """Return the path of the file itself."""
        path = self._root / key
        with _reachable(self, missing=key):
            with path.open("rb") as file:
                file.read(1)
        return path

    def has(self, key: str) -> bool:
        """Return whether there is such a file."""
        try:
            with _reachable(self, missing=key):
                (self._root / key).stat()
        except FileMissing:
            return False
        return True

    def copy_to(self, key: str, path: Path) -> None:
        """Copy the file to another path."""
        with _reachable(self, missing=key):
            source = (self._root / key).open("rb")
        with source, replacing(path) as target:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                shutil.copyfileobj(source, file)

    def names(self, prefix: str = "") -> list[StoredFile]:
        """List the files below a folder."""
        folder = self._root / prefix
        with _reachable(self):
            self._root.stat()
            found = sorted(path for path in folder.rglob("*") if path.is_file())
            return [
                StoredFile(key, status.st_size, status.st_mtime)
                for path in found
                if is_listed(key := path.relative_to(self._root).as_posix())
                and (status := path.stat())
            ]

    def remove(self, keys: Iterable[str]) -> None:
        """Remove files and folders."""
        with _reachable(self):
            for key in keys:
                remove_path(self._root / key, is_folder=key.endswith("/"))

    def trim_cache(self, prefix: str, before: float) -> None:
        """Do nothing: there are no copies."""


@contextmanager
def _reachable(files: FolderFiles, missing: str = "") -> Generator[None]:
    """Turn errors of the file system into those of `Files`.

    Args:
        missing: The key that `FileMissing` names; "" where a missing file is unexpected.
    """
    try:
        yield
    except OSError as error:
        if missing and isinstance(error, FileNotFoundError | NotADirectoryError):
            raise file_missing(missing, str(files)) from error
        raise FilesUnreachable(
            f"{error.filename or files} cannot be used: {error.strerror or error}. It belongs to "
            "the folder of runs: check that its disk is there, that it may be read and written, "
            "and that no other program has it open, then try again."
        ) from error

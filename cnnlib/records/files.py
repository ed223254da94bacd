"""Files that are written whole, or not at all."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from cnnlib.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """A file beside ``path`` to write into, which takes its name when the block ends well.

    Where it does not, a full disk for one, what was there before stays, and nothing is beside it.
    What is no plain file, a pipe or a terminal, is written into directly.

    Yields:
        Where to write, with the ending of ``path``.

    Raises:
        OSError: ``path`` cannot be written.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    path = path.resolve()  # a link goes on pointing at the file
    unfinished = path.with_name(f".{uuid4().hex}{path.suffix}")
    try:
        yield unfinished
        if path.exists():
            path.open("ab").close()  # one that may not be written is not replaced either
            shutil.copymode(path, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Remove a run's folder with all that is in it; a missing one is fine.

    Raises:
        StoreError: Something in it cannot be removed; what could be is gone, and a second try goes
            on from there.
    """
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise StoreError(
            f"The folder {folder} cannot be removed: {error.strerror}. Close what holds its files, "
            "or allow writing to it, then delete the run again."
        ) from error


def remove_files(folder: Path, names: Iterable[str]) -> None:
    """Remove files of a run's folder; missing ones are fine."""
    for name in names:
        (folder / name).unlink(missing_ok=True)

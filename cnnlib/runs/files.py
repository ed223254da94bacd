"""The removal of a run's files."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from cnnlib.errors import StoreError


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

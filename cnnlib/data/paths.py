"""Folders of prepared copies, downloads and uploads.

``prepared/`` and ``downloads/`` lie in the data folder, or in the runs folder where the data folder
is read-only; ``datasets/`` (uploads) lies in the runs folder. Only these three are written to; the
rest of the data folder is the user's, and is only read.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import stat
from typing import TYPE_CHECKING

from cnnlib.records.folders import PREPARED

if TYPE_CHECKING:
    from pathlib import Path

    from cnnlib.records.folders import Folders

DOWNLOADS = "downloads"


def is_writable(folder: Path) -> bool:
    """Return whether ``folder`` can be written to, or created.

    A folder without any write permission counts as read-only for the superuser too.
    """
    while not folder.exists():
        if folder.parent == folder:
            return False
        folder = folder.parent
    mode = folder.stat().st_mode
    may_write = mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(mode) and bool(may_write) and os.access(folder, os.W_OK | os.X_OK)


def write_root(folders: Folders, kind: str) -> Path:
    """Return the root for new files: ``data``, or ``runs`` if that is read-only.

    Args:
        kind: `PREPARED` or `DOWNLOADS`.
    """
    return folders.data if is_writable(folders.data / kind) else folders.runs


def search_roots(folders: Folders) -> tuple[Path, ...]:
    """Return the roots of prepared copies and downloads, in search order.

    ``runs`` is first: copies are written there when ``data`` is read-only, so they are newer.
    """
    return (folders.runs, folders.data) if folders.data != folders.runs else (folders.data,)


def folder_name(name: str) -> str:
    """Return a folder name for a dataset, valid on every file system.

    A user's dataset can have any name: the readable part is shortened to ASCII, and a hash
    distinguishes names that differ only in case or in other characters.

    Example:
        >>> folder_name("mnist")
        'mnist'
        >>> folder_name("folder:Katzen & Hunde")
        'folder-Katzen-Hunde-ea2c17bd'
    """
    if not name.startswith("folder:"):
        return name
    own = name.removeprefix("folder:")
    readable = re.sub(r"[^A-Za-z0-9]+", "-", own).strip("-")[:40]
    digest = hashlib.blake2b(own.encode(), digest_size=4).hexdigest()
    return "-".join(part for part in ("folder", readable, digest) if part)


def prepared_folder(name: str, root: Path) -> Path:
    """The folder of a prepared copy in ``root``."""
    return root / PREPARED / folder_name(name)


def roles_file(name: str, root: Path) -> Path:
    """The file of what a person said about the folders of a dataset that is not prepared yet."""
    return root / PREPARED / f"{folder_name(name)}.roles.json"


def download_folders(name: str, folders: Folders) -> tuple[Path, ...]:
    """Return the folders that may hold a dataset's downloads, in search order."""
    return tuple(root / DOWNLOADS / folder_name(name) for root in search_roots(folders))


def prepare_command(name: str) -> str:
    """Return the command that prepares a dataset, as a shell takes it.

    Example:
        >>> prepare_command("folder:brain tumor")
        "python -m cnnlib data prepare 'folder:brain tumor'"
    """
    return f"python -m cnnlib data prepare {shlex.quote(name)}"

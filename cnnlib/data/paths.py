"""Where the lab keeps what it makes of a dataset: prepared copies, downloads, uploads.

``prepared/`` and ``downloads/`` lie in the data folder, or in the runs folder where the data folder
is read-only; ``datasets/`` (uploads) lies in the runs folder. All three are the lab's own. Whatever
else the data folder holds belongs to the person who put it there, and is only read.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cnnlib.records.folders import Folders

PREPARED = "prepared"
DOWNLOADS = "downloads"
UPLOADS = "datasets"


def is_writable(folder: Path) -> bool:
    """Whether the lab may write in ``folder``, or create it.

    A folder without any write permission counts as read-only for root too, who could write
    nevertheless.
    """
    while not folder.exists():
        if folder.parent == folder:
            return False
        folder = folder.parent
    mode = folder.stat().st_mode
    may_write = mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(mode) and bool(may_write) and os.access(folder, os.W_OK | os.X_OK)


def home(folders: Folders, what: str) -> Path:
    """Where new `PREPARED` copies or `DOWNLOADS` go: ``data``, or ``runs`` if it is read-only."""
    return folders.data if is_writable(folders.data / what) else folders.runs


def places(folders: Folders) -> tuple[Path, ...]:
    """Where prepared copies and downloads may lie, in the order of looking.

    What lies in ``runs`` was made there because ``data`` is read-only, so it is the newer.
    """
    return (folders.runs, folders.data) if folders.data != folders.runs else (folders.data,)


def folder_name(name: str) -> str:
    """The name of a dataset as the name of a folder, on every file system.

    A person's own dataset may be called anything, so the readable part is shortened and a hash
    keeps apart what differs (in case, or in letters that a file system does not have).

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


def prepared_folder(name: str, place: Path) -> Path:
    """The folder of a prepared copy in ``place``."""
    return place / PREPARED / folder_name(name)


def download_folders(name: str, folders: Folders) -> tuple[Path, ...]:
    """Where a dataset may have been downloaded to, in the order of looking."""
    return tuple(place / DOWNLOADS / folder_name(name) for place in places(folders))

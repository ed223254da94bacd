"""Opens the files of a run store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnlib.records.stored.folder_files import FolderFiles

if TYPE_CHECKING:
    from cnnlib.records.folders import Folders
    from cnnlib.records.stored.files import Files


def open_files(folders: Folders) -> Files:
    """Return the files of a run store.

    Raises:
        StoreError: The address in ``folders.files`` is none.
    """
    if not folders.files:
        return FolderFiles(folders.runs)
    from cnnlib.records.stored.object_files import ObjectFiles  # imports pyarrow

    return ObjectFiles(folders.files, folders.runs)

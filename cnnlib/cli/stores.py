"""Opening the run store: commands that only look never create one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnlib.errors import StoreError
from cnnlib.records.folders import Folders

if TYPE_CHECKING:
    from cnnlib.runs import RunStore


def open_store() -> RunStore:
    """The store of the folders that the environment names, created where there is none."""
    from cnnlib.runs import RunStore

    return RunStore()


def has_store() -> bool:
    """There is a store to look into."""
    folders = Folders.from_environment()
    return bool(folders.database) or (folders.runs / "cnnlab.db").exists()


def existing_store(run_id: str) -> RunStore:
    """The store that must be there because it holds a run.

    Raises:
        StoreError: There is none.
    """
    if not has_store():
        raise StoreError(
            f"There is no run {run_id[:40]!r}, because {Folders.from_environment().runs} holds no "
            "runs yet. Train one, or name the folder that holds it in CNNLAB_RUNS."
        )
    return open_store()

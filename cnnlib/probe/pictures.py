"""The pictures that a run was trained on, as long as they are the same. No torch here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnlib.data.prepared import Prepared, load_prepared
from cnnlib.errors import DataError

if TYPE_CHECKING:
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.folders import Folders
    from cnnlib.records.run import Run


def run_pictures(run: Run, folders: Folders) -> Prepared:
    """The prepared dataset of a run.

    Raises:
        DataError: It is gone, or another one now: what the run learned says nothing about it.
    """
    prepared = load_prepared(run.request.dataset, folders)
    check_unchanged(run, prepared.info)
    return prepared


def check_unchanged(run: Run, info: DatasetInfo) -> None:
    """A dataset is still what the run was trained on.

    Raises:
        DataError: It is not.
    """
    if run.fingerprint and info.fingerprint != run.fingerprint:
        raise DataError(
            f"{run.request.dataset} changed since this run was trained on it, so its pictures are "
            "not those that the run saw. Look at a newer run."
        )

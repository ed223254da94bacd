"""The prepared dataset of a run, checked for changes; without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnlib.data.prepared import Prepared, load_prepared
from cnnlib.errors import DataError

if TYPE_CHECKING:
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.folders import Folders
    from cnnlib.records.run import Run


def run_pictures(run: Run, folders: Folders) -> Prepared:
    """Load the prepared dataset of a run.

    Raises:
        DataError: It is missing, or has changed since the training.
    """
    prepared = load_prepared(run.request.dataset, folders)
    check_unchanged(run, prepared.info)
    return prepared


def check_unchanged(run: Run, info: DatasetInfo) -> None:
    """Check that a dataset has not changed since the run's training.

    Raises:
        DataError: It has changed.
    """
    if run.fingerprint and info.fingerprint != run.fingerprint:
        raise DataError(
            f"The dataset {run.request.dataset} has changed since this run was trained on it. A "
            "run can only be inspected with the pictures that it was trained on. Restore the "
            "earlier dataset, or choose a newer run."
        )

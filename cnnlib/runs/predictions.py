"""Reads the file with a run's predictions on the test pictures; uses numpy alone."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from cnnlib.records.probe import Predicted

_MOST_BYTES = 500_000_000  # limit for an unpacked file of predictions, which may be imported
# Errors of numpy and zipfile for an .npz file that is invalid, truncated or changed.
DAMAGED = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    RuntimeError,
    MemoryError,  # the header states a length far above the content's
    zipfile.BadZipFile,
    zlib.error,
)


def unpack_predictions(path: Path) -> Predicted:
    """Read a run's predictions on the test pictures.

    Raises:
        ValueError: The file is missing, damaged, or has other content; the text is the reason.
    """
    try:
        _check_size(path)
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            found = Predicted(
                file["labels"].astype(np.int64),
                file["predicted"].astype(np.int64),
                file["probabilities"].astype(np.float32),
            )
        _check_shapes(found)
    except DAMAGED as error:
        raise ValueError(str(error)) from error
    return found


def _check_size(path: Path) -> None:
    """Check the unpacked size that the zip headers state; zipfile never reads more than that.

    Raises:
        ValueError: It is above the limit.
    """
    with zipfile.ZipFile(path) as packed:
        size = sum(entry.file_size for entry in packed.infolist())
    if size > _MOST_BYTES:
        raise ValueError(f"it unpacks to {size:,} bytes")


def _check_shapes(found: Predicted) -> None:
    """Check that each picture has a row of probabilities that includes its classes.

    Raises:
        ValueError: The shapes or the class numbers do not match.
    """
    if found.probabilities.ndim != 2:
        raise ValueError("its arrays do not match: the probabilities are not a table")
    count, classes = found.probabilities.shape
    for values in (found.labels, found.predicted):
        if values.shape != (count,):
            raise ValueError("its arrays do not match: their lengths differ")
        if count and not 0 <= values.min() <= values.max() < classes:
            raise ValueError("its arrays do not match: a class has no probability")

"""The file in which a run leaves what it said about each test picture; numpy alone."""

from __future__ import annotations

import zipfile
import zlib
from typing import TYPE_CHECKING

import numpy as np

from cnnlib.records.probe import Predicted

if TYPE_CHECKING:
    from pathlib import Path

_MOST_BYTES = 500_000_000  # of a run's predictions: a file from elsewhere may be any file
# What numpy and zipfile raise of an .npz file that is none, or that was cut or changed.
DAMAGED = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    RuntimeError,
    MemoryError,  # the length that a header tells, far above what follows it
    zipfile.BadZipFile,
    zlib.error,
)


def unpack_predictions(path: Path) -> Predicted:
    """What a run said about each test picture.

    Raises:
        ValueError: The file is not there, damaged, or holds something else; why.
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
    """The file does not unpack to more than it may; zipfile reads no more than is told here.

    Raises:
        ValueError: It does.
    """
    with zipfile.ZipFile(path) as packed:
        size = sum(entry.file_size for entry in packed.infolist())
    if size > _MOST_BYTES:
        raise ValueError(f"it unpacks to {size:,} bytes")


def _check_shapes(found: Predicted) -> None:
    """There is a row of probabilities for each picture, and its classes have their places in it.

    Raises:
        ValueError: The arrays do not belong together.
    """
    if found.probabilities.ndim != 2:
        raise ValueError("its arrays do not belong together: its probabilities are no table")
    count, classes = found.probabilities.shape
    for values in (found.labels, found.predicted):
        if values.shape != (count,):
            raise ValueError("its arrays do not belong together: they are of different lengths")
        if count and not 0 <= values.min() <= values.max() < classes:
            raise ValueError("its arrays do not belong together: a class has no probability")

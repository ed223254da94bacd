"""What a run got wrong, from the predictions that it left; numpy alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnnlib.errors import ProbeError
from cnnlib.records.probe import Calibration, Predicted
from cnnlib.runs.predictions import unpack_predictions

if TYPE_CHECKING:
    from pathlib import Path


def read_predictions(path: Path) -> Predicted:
    """What a run said about each test picture.

    Raises:
        ProbeError: The file is not there or damaged.
    """
    try:
        return unpack_predictions(path)
    except ValueError as error:
        raise ProbeError(
            f"The run's predictions in {path.name} cannot be read ({error}). They are written when "
            "a run has measured the test split: let it finish, or choose another run."
        ) from error


def confusion(found: Predicted, classes: int) -> np.ndarray:
    """Classes x classes counts (row: true, column: predicted).

    Raises:
        ProbeError: The predictions are of another number of classes.
    """
    told = found.probabilities.shape[1]
    if told != classes:
        raise ProbeError(
            f"The run told {told} classes apart, and its dataset has {classes} now. Bring that "
            "dataset back, or choose another run."
        )
    counts = np.bincount(found.labels * classes + found.predicted, minlength=classes**2)
    return counts.reshape(classes, classes)


def class_accuracy(table: np.ndarray) -> np.ndarray:
    """Share of each class that was recognised; NaN for a class without pictures."""
    there = table.sum(axis=1)
    return np.divide(table.diagonal(), there, out=np.full(len(table), np.nan), where=there > 0)


def pictures_of(found: Predicted, true: int, predicted: int) -> np.ndarray:
    """Indices of the pictures of one cell, the most confident answer first."""
    there = np.flatnonzero((found.labels == true) & (found.predicted == predicted))
    return there[np.argsort(-found.confidence[there], kind="stable")]


def most_confused(table: np.ndarray) -> tuple[int, int]:
    """True and predicted class of the largest cell off the diagonal."""
    wrong = table - np.diag(table.diagonal())
    true, predicted = np.unravel_index(int(wrong.argmax()), wrong.shape)
    return int(true), int(predicted)


def calibration(found: Predicted, bins: int = 10) -> Calibration:
    """How often a network is right when it is so sure.

    Bins are of equal width; the error is the mean distance between confidence and accuracy,
    weighted by the bins' counts (expected calibration error; Guo et al., "On calibration of modern
    neural networks", ICML 2017, section 2).
    """
    right = found.predicted == found.labels
    place = np.minimum((found.confidence * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    filled = np.maximum(counts, 1)
    confidence = np.bincount(place, weights=found.confidence, minlength=bins) / filled
    accuracy = np.bincount(place, weights=right, minlength=bins) / filled
    error = float((counts * np.abs(confidence - accuracy)).sum() / max(1, counts.sum()))
    return Calibration(confidence, accuracy, counts, error)

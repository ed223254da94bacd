"""Confusion, accuracy per class and calibration, from a run's stored predictions; numpy only."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cnnlib.errors import ProbeError
from cnnlib.records.probe import Calibration, Predicted
from cnnlib.runs.predictions import unpack_predictions


def read_predictions(path: Path) -> Predicted:
    """Read a run's predictions for the test split.

    Raises:
        ProbeError: The file is missing or damaged.
    """
    try:
        return unpack_predictions(path)
    except ValueError as error:
        raise ProbeError(
            f"The predictions of the run in {path.name} cannot be read ({error}). A run writes "
            "them when it finishes. Wait until it finishes, or choose another run."
        ) from error


def confusion(predictions: Predicted, classes: int) -> np.ndarray:
    """Compute the confusion matrix: classes x classes counts (row: true, column: predicted).

    Raises:
        ProbeError: The predictions have another number of classes.
    """
    predicted_classes = predictions.probabilities.shape[1]
    if predicted_classes != classes:
        raise ProbeError(
            f"The run was trained with {predicted_classes} classes, but its dataset has {classes} "
            "classes now. Restore the earlier dataset, or choose another run."
        )
    counts = np.bincount(predictions.labels * classes + predictions.predicted, minlength=classes**2)
    return counts.reshape(classes, classes)


def class_accuracy(table: np.ndarray) -> np.ndarray:
    """Compute the accuracy of each class (recall); NaN for a class without pictures."""
    totals = table.sum(axis=1)
    return np.divide(table.diagonal(), totals, out=np.full(len(table), np.nan), where=totals > 0)


def pictures_of(predictions: Predicted, true: int, predicted: int) -> np.ndarray:
    """Return the indices of the pictures of one cell, sorted by falling confidence."""
    indices = np.flatnonzero((predictions.labels == true) & (predictions.predicted == predicted))
    return indices[np.argsort(-predictions.confidence[indices], kind="stable")]


def most_confused(table: np.ndarray) -> tuple[int, int]:
    """Return the true and the predicted class of the largest cell off the diagonal."""
    wrong = table - np.diag(table.diagonal())
    true, predicted = np.unravel_index(int(wrong.argmax()), wrong.shape)
    return int(true), int(predicted)


def calibration(predictions: Predicted, bins: int = 10) -> Calibration:
    """Compute accuracy by confidence, and the expected calibration error.

    Bins are of equal width; the error is the mean distance between confidence and accuracy,
    weighted by the bins' counts (Guo et al., "On calibration of modern neural networks", ICML 2017,
    section 2).
    """
    correct = predictions.predicted == predictions.labels
    bin_of = np.minimum((predictions.confidence * bins).astype(int), bins - 1)
    counts = np.bincount(bin_of, minlength=bins)
    filled = np.maximum(counts, 1)
    confidence = np.bincount(bin_of, weights=predictions.confidence, minlength=bins) / filled
    accuracy = np.bincount(bin_of, weights=correct, minlength=bins) / filled
    error = float((counts * np.abs(confidence - accuracy)).sum() / max(1, counts.sum()))
    return Calibration(confidence, accuracy, counts, error)

"""Test pictures on which two runs disagree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cnnlib.errors import StoreError
from cnnlib.runs.predictions import unpack_predictions

if TYPE_CHECKING:
    from pathlib import Path

    from cnnlib.records.probe import Predicted
    from cnnlib.records.run import Run
    from cnnlib.runs.store import RunStore


@dataclass(frozen=True)
class Disagreement:
    """Test pictures that one run classifies correctly and the other does not.

    Args:
        indices: Indices in the test split, by falling confidence of the second run's wrong answer.
        labels: The true classes.
        answers: The second run's answers.
        count_other_way: Number of pictures that only the second run classifies correctly.
        count: Number of pictures in the test split.
    """

    indices: tuple[int, ...]
    labels: tuple[int, ...]
    answers: tuple[int, ...]
    count_other_way: int
    count: int


def right_and_wrong(store: RunStore, right: Run, wrong: Run) -> Disagreement:
    """Find the test pictures that ``right`` classifies correctly and ``wrong`` does not.

    Raises:
        StoreError: A run has no predictions on disk, or they are for other pictures.
    """
    one, two = _predictions(store, right), _predictions(store, wrong)
    if right.fingerprint != wrong.fingerprint or len(one.labels) != len(two.labels):
        raise StoreError(
            f"The runs {right.id} and {wrong.id} were tested on different pictures, so their "
            "predictions cannot be compared. Choose two runs with the same dataset."
        )
    labels = one.labels
    is_right, is_wrong = one.predicted == labels, two.predicted != labels
    indices = np.flatnonzero(is_right & is_wrong)
    confidence = two.probabilities[indices].max(axis=1, initial=0.0)
    indices = indices[np.argsort(-confidence, kind="stable")]
    return Disagreement(
        tuple(map(int, indices)),
        tuple(map(int, labels[indices])),
        tuple(map(int, two.predicted[indices])),
        int((~is_right & ~is_wrong).sum()),
        len(labels),
    )


def _predictions(store: RunStore, run: Run) -> Predicted:
    """Read the predictions of a run on the test split."""
    result = store.result(run.id)
    if result is None or not result.predictions_file:
        raise StoreError(
            f"The run {run.id} has no predictions on the test split. They are saved when a run "
            "finishes. Wait until it has finished, or resume it."
        )
    path: Path = store.folders.run(run.id) / result.predictions_file
    try:
        return unpack_predictions(path)
    except ValueError as error:
        raise StoreError(
            f"The predictions of the run {run.id} in {path} cannot be read: {error}. Train "
            "the design again to get new ones."
        ) from error

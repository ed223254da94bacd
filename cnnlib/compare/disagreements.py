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
    """Test pictures that one run gets right and the other wrong.

    Args:
        places: Of the pictures in the test split, those about which the second run was most sure of
            its wrong answer first.
        labels: What they are; answers: what the second run took them for.
        count_other_way: Pictures that the second gets right and the first wrong.
        count: Pictures in the test split.
    """

    places: tuple[int, ...]
    labels: tuple[int, ...]
    answers: tuple[int, ...]
    count_other_way: int
    count: int


def right_and_wrong(store: RunStore, right: Run, wrong: Run) -> Disagreement:
    """Find the test pictures that ``right`` classifies correctly and ``wrong`` does not.

    Raises:
        StoreError: One has no predictions on disk, or they are of other pictures.
    """
    one, two = _predictions(store, right), _predictions(store, wrong)
    if right.fingerprint != wrong.fingerprint or len(one.labels) != len(two.labels):
        raise StoreError(
            f"The runs {right.id} and {wrong.id} were measured on different pictures. Choose two "
            "on the same dataset."
        )
    labels = one.labels
    is_right, is_wrong = one.predicted == labels, two.predicted != labels
    places = np.flatnonzero(is_right & is_wrong)
    sureness = two.probabilities[places].max(axis=1, initial=0.0)
    places = places[np.argsort(-sureness, kind="stable")]
    return Disagreement(
        tuple(map(int, places)),
        tuple(map(int, labels[places])),
        tuple(map(int, two.predicted[places])),
        int((~is_right & ~is_wrong).sum()),
        len(labels),
    )


def _predictions(store: RunStore, run: Run) -> Predicted:
    """The predictions of a run on the test split."""
    result = store.result(run.id)
    if result is None or not result.predictions_file:
        raise StoreError(
            f"The run {run.id} has no predictions on the test split. Let it finish, then look "
            "again."
        )
    path: Path = store.folders.run(run.id) / result.predictions_file
    try:
        return unpack_predictions(path)
    except ValueError as error:
        raise StoreError(
            f"The predictions of the run {run.id} in {path} cannot be read: {error}. Train it "
            "again to have them."
        ) from error

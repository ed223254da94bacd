"""Test pictures on which two designs differ, over the paired runs of several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cnnlib.compare.differences import run_predictions
from cnnlib.errors import StoreError

if TYPE_CHECKING:
    from cnnlib.records.run import Run
    from cnnlib.runs.store import RunStore


@dataclass(frozen=True)
class DifferingPicture:
    """A test picture for which two designs mostly give different answers.

    Args:
        index: In the test split.
        answers: The most frequent answer of A and of B.
        votes: The seeds of A and of B that gave it.
    """

    index: int
    label: int
    answers: tuple[int, int]
    votes: tuple[int, int]


@dataclass(frozen=True)
class DifferingPictures:
    """Test pictures on which two designs differ, over several seeds.

    Args:
        pictures: First those that A classifies correctly, then those of B, then those of neither;
            in each part those on which most seeds differ come first.
        only_a, only_b: All pictures that only A, or only B, mostly classifies correctly.
        count: Pictures in the test split; 0 where no pair has predictions.
        pairs: Pairs whose predictions are on disk.
    """

    pictures: tuple[DifferingPicture, ...] = ()
    only_a: int = 0
    only_b: int = 0
    count: int = 0
    pairs: int = 0


def differing_pictures(
    store: RunStore, pairs: Sequence[tuple[Run, Run]], most: int = 20
) -> DifferingPictures:
    """Find the test pictures for which two designs differ in their most frequent answers.

    A pair without predictions on disk, or with those of other pictures, is left out.

    Args:
        pairs: A run of A and a run of B, with the same seed.
        most: Pictures to return; where possible, half of them are for A and half for B.
    """
    predicted = [found for pair in pairs if (found := _predictions_of_pair(store, *pair))]
    predicted = [found for found in predicted if np.array_equal(found[0], predicted[0][0])]
    if not predicted:
        return DifferingPictures()
    labels = predicted[0][0]
    answers = [np.stack([found[side] for found in predicted]) for side in (1, 2)]  # pairs x N
    (usual_a, votes_a), (usual_b, votes_b) = map(_most_frequent, answers)
    seeds_right = [(each == labels).sum(axis=0) for each in answers]
    lead = seeds_right[1] - seeds_right[0]  # seeds of B that are right, more than of A
    differ = usual_a != usual_b
    for_a, for_b = differ & (usual_a == labels), differ & (usual_b == labels)
    parts = [
        np.flatnonzero(part)[np.argsort(-strength[part], kind="stable")]
        for part, strength in (
            (for_a, -lead),
            (for_b, lead),
            (differ & ~for_a & ~for_b, votes_a + votes_b),
        )
    ]
    chosen = [
        DifferingPicture(
            int(index),
            int(labels[index]),
            (int(usual_a[index]), int(usual_b[index])),
            (int(votes_a[index]), int(votes_b[index])),
        )
        for part, count in zip(parts, shares([len(part) for part in parts], most), strict=True)
        for index in part[:count]
    ]
    counts = int(for_a.sum()), int(for_b.sum()), len(labels), len(predicted)
    return DifferingPictures(tuple(chosen), *counts)


def _predictions_of_pair(
    store: RunStore, a: Run, b: Run
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Read labels and answers of both runs; None where they cannot be compared."""
    try:
        one, two = run_predictions(store, a), run_predictions(store, b)
    except StoreError:
        return None
    if a.fingerprint != b.fingerprint or not np.array_equal(one.labels, two.labels):
        return None
    return one.labels, one.predicted, two.predicted


def _most_frequent(answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the most frequent answer for each picture, and its count; of equals the smallest.

    Args:
        answers: Seeds x N, integers.
    """
    answer = np.zeros(answers.shape[1], dtype=np.int64)
    votes = np.zeros(answers.shape[1], dtype=np.int64)
    for candidate in np.unique(answers):
        count = (answers == candidate).sum(axis=0)
        is_more = count > votes
        answer[is_more], votes[is_more] = candidate, count[is_more]
    return answer, votes


def shares(sizes: Sequence[int], most: int) -> list[int]:
    """Divide `most` pictures: half for each of the first two parts, the rest where some are left.

    Example:
        >>> shares([30, 4, 9], most=20)
        [16, 4, 0]
    """
    shares = [min(size, most // 2) for size in sizes[:2]] + [0] * len(sizes[2:])
    for part, size in enumerate(sizes):
        shares[part] += min(size - shares[part], most - sum(shares))
    return shares

"""Pictures per class of a prepared dataset, and its duplicate pictures."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cnnlib.data.split import describe_few_validation, validation_size
from cnnlib.records.run import RunRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.data.prepared import Prepared
    from cnnlib.records.dataset import DatasetInfo

UNEQUAL = 3  # times as many pictures in the largest class as in the smallest


@dataclass(frozen=True)
class ClassCount:
    """Training and test pictures of one class."""

    name: str
    train: int
    test: int


@dataclass(frozen=True)
class Duplicates:
    """Pictures that are equal in every pixel.

    Args:
        across: Pairs (position in train, position in test): test pictures that are trained on.
        train_repeats: Training pictures that equal an earlier training picture.
        test_repeats: Test pictures that equal an earlier test picture.
        contradictions: Pairs (position, position) of equal training pictures with different labels.
    """

    across: tuple[tuple[int, int], ...]
    train_repeats: int
    test_repeats: int
    contradictions: tuple[tuple[int, int], ...]


def class_counts(prepared: Prepared) -> tuple[ClassCount, ...]:
    """Count the pictures per class, in the order of the labels."""
    names = prepared.info.classes
    train = np.bincount(prepared.train_labels, minlength=len(names))
    test = np.bincount(prepared.test_labels, minlength=len(names))
    return tuple(
        ClassCount(name, int(train[label]), int(test[label])) for label, name in enumerate(names)
    )


def describe_imbalance(counts: Sequence[ClassCount]) -> str:
    """Say that classes differ much in their training pictures, and what to do; "" otherwise.

    Classes without a training picture do not count.
    """
    present = sorted((each for each in counts if each.train), key=lambda each: each.train)
    if not present or present[-1].train < UNEQUAL * present[0].train:
        return ""
    small, large = present[0], present[-1]
    return (
        f"The classes are unequal: {large.name} has {large.train:,} training pictures, "
        f"{small.name} {small.train:,}. A network may neglect small classes. When you train, set "
        "Unequal classes (--class-balance) to weights in the loss or to balanced sampling."
    )


def size_notes(info: DatasetInfo, counts: Sequence[ClassCount]) -> list[str]:
    """Return sentences on unequal classes and on few validation pictures, where there are such."""
    few = describe_few_validation(validation_size(info, RunRequest.validation))
    return [note for note in (describe_imbalance(counts), few) if note]


def duplicates(prepared: Prepared) -> Duplicates:
    """Find equal pictures; reads all pictures once (about 1 s for 200 MB)."""
    train, test = _digests(prepared.train_images), _digests(prepared.test_images)
    first: dict[bytes, int] = {}
    contradictions = []
    labels = prepared.train_labels
    for position, digest in enumerate(train):
        earlier = first.setdefault(digest, position)
        if labels[earlier] != labels[position]:
            contradictions.append((earlier, position))
    across = tuple(
        (first[digest], position) for position, digest in enumerate(test) if digest in first
    )
    return Duplicates(across, _repeats(train), _repeats(test), tuple(contradictions))


def _digests(images: np.ndarray) -> list[bytes]:
    return [hashlib.blake2b(image.tobytes(), digest_size=16).digest() for image in images]


def _repeats(digests: list[bytes]) -> int:
    return sum(count - 1 for count in Counter(digests).values())

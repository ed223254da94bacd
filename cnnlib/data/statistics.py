"""Pictures per class of a dataset with what they warn of, and its duplicate pictures."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cnnlib.data.image_folder.split_names import SPLITS
from cnnlib.data.split import describe_few_validation, validation_size
from cnnlib.records.run import RunRequest
from cnnlib.units import listed, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.data.prepared import Prepared
    from cnnlib.records.dataset import DatasetInfo

UNEQUAL = 3  # times as many pictures in the largest class as in the smallest


@dataclass(frozen=True)
class ClassCount:
    """Pictures of one class.

    Args:
        train: Without those of the dataset's own validation split.
        validation: In the dataset's own validation split.
    """

    name: str
    train: int
    validation: int
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
    info = prepared.info
    return count_labels(
        info.classes, prepared.train_labels, prepared.test_labels, info.validation_count
    )


def count_labels(
    classes: Sequence[str],
    train_labels: np.ndarray,
    test_labels: np.ndarray,
    validation_count: int = 0,
) -> tuple[ClassCount, ...]:
    """Count the pictures per class, in the order of the labels.

    Args:
        train_labels: N, integers.
        test_labels: M, integers.
        validation_count: The last so many of the training pictures are validation pictures.
    """
    own = len(train_labels) - validation_count
    parts = (train_labels[:own], train_labels[own:], test_labels)
    counts = np.stack([np.bincount(part, minlength=len(classes)) for part in parts], axis=1)
    return tuple(ClassCount(name, *row) for name, row in zip(classes, counts.tolist(), strict=True))


def class_warnings(counts: Sequence[ClassCount]) -> tuple[str, ...]:
    """Return a sentence for each way in which the classes make a result worth less."""
    warnings = []
    if len(counts) == 1:
        warnings.append(
            f"There is only one class, {counts[0].name}, so a network has nothing to distinguish. "
            "Add a folder with pictures of another class."
        )
    if untrained := [each for each in counts if not each.train]:
        measured = _measured(untrained)
        errors = f" {measured} of {_these(untrained)} count as errors." if measured else ""
        warnings.append(
            f"Without a training picture: {_names(untrained)}. A network cannot learn "
            f"{_these(untrained)}.{errors} Add training pictures, or leave {_these(untrained)} out."
        )
    if single := [each for each in counts if each.train == 1]:
        warnings.append(
            f"With only one training picture: {_names(single)}. One picture is too few to learn a "
            "class. Add pictures."
        )
    if not any(each.test for each in counts):
        warnings.append("There is no test picture, so no test accuracy is measured. Add pictures.")
    elif untested := [each for each in counts if not each.test]:
        warnings.append(
            f"Without a test picture: {_names(untested)}. The test accuracy says nothing about "
            f"{_these(untested)}."
        )
    return tuple(warnings)


def _measured(counts: Sequence[ClassCount]) -> str:
    """``5 validation pictures and 1 test picture``; "" without any."""
    validation, test = (sum(getattr(each, split) for each in counts) for split in SPLITS[1:])
    parts = [plural(validation, "validation picture")] if validation else []
    return " and ".join(parts + ([plural(test, "test picture")] if test else []))


def _names(counts: Sequence[ClassCount]) -> str:
    return listed([each.name for each in counts])


def _these(counts: Sequence[ClassCount]) -> str:
    return "this class" if len(counts) == 1 else "these classes"


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

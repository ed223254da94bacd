"""Fingerprint, mean and standard deviation, and test split of a dataset, from its content."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

TEST_FRACTION = 0.2
_CHUNK_BYTES = 1 << 24


def fingerprint(
    classes: Sequence[str],
    train_images: np.ndarray,
    train_labels: np.ndarray,
    test_images: np.ndarray,
    test_labels: np.ndarray,
    *,
    validation_count: int = 0,
) -> str:
    """Hash all pictures, labels and class names, in order: 32 hexadecimal digits.

    The result does not depend on the folder, on file names or on the machine.

    Args:
        validation_count: The number of the dataset's own validation pictures; see `DatasetInfo`.
    """
    digest = hashlib.blake2b(digest_size=16)
    own_split = [validation_count] if validation_count else []
    digest.update(json.dumps(["cnnlib dataset", 1, list(classes), *own_split]).encode())
    for array in (train_images, train_labels, test_images, test_labels):
        digest.update(json.dumps([array.dtype.str, list(array.shape)]).encode())
        for chunk in chunks(array):
            digest.update(np.ascontiguousarray(chunk).reshape(-1).data)
    return digest.hexdigest()


def mean_and_std(images: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Compute mean and standard deviation per channel, of values scaled to 0..1.

    Both are computed from integer sums, so they are exact up to the last rounding.

    Args:
        images: N x C x H x W, uint8; N is at least 1.
    """
    channels = images.shape[1]
    counts = np.zeros((channels, 256), dtype=np.int64)
    for chunk in chunks(images):
        for channel in range(channels):
            counts[channel] += np.bincount(chunk[:, channel].ravel(), minlength=256)
    moments = [_moments([int(count) for count in row]) for row in counts]
    return tuple(mean for mean, _ in moments), tuple(std for _, std in moments)


def _moments(counts: list[int]) -> tuple[float, float]:
    """Compute mean and standard deviation, scaled to 0..1, from a histogram of levels 0..255."""
    total = sum(counts)
    first = sum(level * count for level, count in enumerate(counts))
    second = sum(level * level * count for level, count in enumerate(counts))
    variance = Fraction(total * second - first * first, (255 * total) ** 2)
    return first / (255 * total), sqrt(variance)


def split_by_content(
    digests: Sequence[bytes], labels: np.ndarray, test_fraction: float = TEST_FRACTION
) -> tuple[np.ndarray, np.ndarray]:
    """Split pictures into training and test by their hashes, not by order or file name.

    In each class, the pictures with the smallest digests are the test split: ``test_fraction`` of
    the class, rounded, and at least one if the class has two or more. Equal pictures of a class
    are in the same split.

    Args:
        digests: One hash per picture.
        labels: N, integers.

    Returns:
        Indices of the training and of the test pictures, both sorted by digest.
    """
    order = np.array(sorted(range(len(digests)), key=lambda index: (digests[index], index)), int)
    is_test = np.zeros(len(digests), dtype=bool)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        is_test[members[: _cut(members, digests, test_fraction)]] = True
    return order[~is_test[order]], order[is_test[order]]


def kept_for_test(count: int, test_fraction: float = TEST_FRACTION) -> int:
    """Return the number of test pictures of a class with ``count`` pictures."""
    return min(count - 1, max(1, round(test_fraction * count))) if count >= 2 else 0


def _cut(members: np.ndarray, digests: Sequence[bytes], test_fraction: float) -> int:
    """Return `kept_for_test`, raised until it separates no equal pictures; 0 if all are equal."""
    cut = kept_for_test(len(members), test_fraction)
    while 0 < cut < len(members) and digests[members[cut]] == digests[members[cut - 1]]:
        cut += 1
    return cut if cut < len(members) else 0


def chunks(array: np.ndarray) -> Generator[np.ndarray]:
    """Yield consecutive parts of an array, each of up to 16 MB or of one row."""
    row_bytes = max(1, array.nbytes // max(1, len(array)))
    rows = max(1, _CHUNK_BYTES // row_bytes)
    for start in range(0, len(array), rows):
        yield array[start : start + rows]

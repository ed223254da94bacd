"""Fingerprint, mean and standard deviation, and test split from a dataset's content."""

from __future__ import annotations

import numpy as np
import pytest

from cnnlib.data.fingerprint import fingerprint, kept_for_test, mean_and_std, split_by_content

CLASSES = ("a", "b")
IMAGES = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
LABELS = np.array([0, 1], dtype=np.int64)


def of(classes=CLASSES, images=IMAGES, labels=LABELS) -> str:
    return fingerprint(classes, images, labels, images[:0], labels[:0])


def test_mean_and_standard_deviation_are_those_worked_by_hand():
    # Channel 0: 0, 0, 255, 255 -> mean 1/2, deviation 1/2. Channel 1: all 51 = 0.2 of 255.
    images = np.array([[[[0, 0], [255, 255]], [[51, 51], [51, 51]]]], dtype=np.uint8)
    mean, std = mean_and_std(images)
    assert mean == (0.5, 0.2)
    assert std == (0.5, 0.0)


def test_mean_and_standard_deviation_agree_with_numpy_over_many_chunks(monkeypatch):
    monkeypatch.setattr("cnnlib.data.fingerprint._CHUNK_BYTES", 1000)
    images = np.random.default_rng(0).integers(0, 256, (50, 3, 9, 7), dtype=np.uint8)
    mean, std = mean_and_std(images)
    scaled = images.astype(np.float64) / 255
    assert mean == pytest.approx(scaled.mean(axis=(0, 2, 3)), rel=1e-14)
    assert std == pytest.approx(scaled.std(axis=(0, 2, 3)), rel=1e-14)


def test_a_fingerprint_is_the_same_on_every_machine():
    assert of() == "f9ab7e2da4a2cf78bc05a43ba295d742"


def test_a_fingerprint_does_not_depend_on_chunks(monkeypatch):
    whole = of()
    monkeypatch.setattr("cnnlib.data.fingerprint._CHUNK_BYTES", 10)
    assert of() == whole


@pytest.mark.parametrize(
    "changed",
    [
        {"classes": ("a", "c")},
        {"images": IMAGES[::-1]},
        {"labels": LABELS[::-1]},
        {"images": IMAGES.reshape(2, 3, 2, 8)},
    ],
)
def test_a_fingerprint_changes_with_pictures_labels_and_names(changed: dict):
    assert of(**changed) != of()


@pytest.mark.parametrize(("pictures", "test"), [(0, 0), (1, 0), (2, 1), (3, 1), (10, 2), (13, 3)])
def test_a_fifth_but_at_least_one_and_never_all_is_kept_for_testing(pictures: int, test: int):
    assert kept_for_test(pictures) == test


def digests(*numbers: int) -> list[bytes]:
    return [bytes([number]) for number in numbers]


def test_the_smallest_digests_of_each_class_are_the_test_split():
    labels = np.array([0, 0, 0, 0, 0, 1, 1])
    train, test = split_by_content(digests(9, 3, 1, 7, 5, 8, 6), labels)
    assert test.tolist() == [2, 6]  # digest 1 of class 0, digest 6 of class 1
    assert train.tolist() == [1, 4, 3, 5, 0]  # digests 3, 5, 7, 8, 9


def test_the_test_split_does_not_depend_on_the_order_of_the_files():
    numbers, labels = np.arange(20), np.arange(20) % 2
    order = np.random.default_rng(1).permutation(20)
    _, test = split_by_content(digests(*numbers), labels)
    _, shuffled = split_by_content(digests(*numbers[order]), labels[order])
    assert numbers[test].tolist() == numbers[order][shuffled].tolist()


def test_equal_pictures_are_in_one_split():
    # A fifth of ten is two, and the second and third are equal: all three are test pictures.
    _, test = split_by_content(digests(1, 2, 2, 4, 5, 6, 7, 8, 9, 10), np.zeros(10, int))
    assert test.tolist() == [0, 1, 2]


def test_a_class_of_equal_pictures_is_trained_on():
    train, test = split_by_content(digests(1, 1, 1), np.zeros(3, int))
    assert (train.tolist(), test.tolist()) == ([0, 1, 2], [])

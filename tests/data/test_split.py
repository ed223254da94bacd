"""The seeded stratified split: reproducible, with errors for invalid settings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlib.data.split import (
    describe_few_validation,
    stratified_order,
    train_validation_split,
    validation_size,
)
from cnnlib.errors import RecipeError
from cnnlib.records.dataset import DatasetInfo


def counts(labels: np.ndarray, indices: np.ndarray, classes: int) -> list[int]:
    return np.bincount(labels[indices], minlength=classes).tolist()


def test_a_tenth_of_each_class_is_kept_for_validation():
    labels = np.repeat([0, 1, 2], [100, 50, 10])
    train, validation = train_validation_split(labels, 0.1, split_seed=0)
    assert counts(labels, validation, 3) == [10, 5, 1]
    assert counts(labels, train, 3) == [90, 45, 9]


def test_a_number_of_pictures_is_kept_for_validation():
    # CIFAR-10 as split in one of the course texts: 49,000 and 1,000.
    labels = np.arange(50_000) % 10
    train, validation = train_validation_split(labels, 1000, split_seed=0)
    assert (len(train), len(validation)) == (49_000, 1_000)
    assert counts(labels, validation, 10) == [100] * 10


def test_the_split_is_the_same_on_every_machine():
    # Reference values; numpy guarantees the raw stream of PCG64.
    labels = np.arange(20) % 2
    _, validation = train_validation_split(labels, 4, split_seed=0)
    _, other = train_validation_split(labels, 4, split_seed=1)
    assert (validation.tolist(), other.tolist()) == ([2, 3, 11, 18], [2, 9, 16, 19])


def test_the_seed_of_the_run_does_not_move_the_validation_split():
    labels = np.arange(200) % 4
    one = train_validation_split(labels, 0.1, split_seed=3, train_limit=50, seed=1)
    two = train_validation_split(labels, 0.1, split_seed=3, train_limit=50, seed=2)
    assert one[1].tolist() == two[1].tolist()
    assert one[0].tolist() != two[0].tolist()


def test_a_class_with_one_picture_stays_in_training():
    labels = np.array([0] * 9 + [1])
    train, validation = train_validation_split(labels, 9 - 1, split_seed=0)
    assert counts(labels, train, 2) == [1, 1]
    assert len(validation) == 8


def test_one_class_is_split_like_any_other():
    train, validation = train_validation_split(np.zeros(10, int), 0.2, split_seed=0)
    assert (len(train), len(validation)) == (8, 2)


def test_a_single_picture_is_trained_on():
    train, validation = train_validation_split(np.zeros(1, int), 0.1, split_seed=0)
    assert (train.tolist(), validation.tolist()) == ([0], [])


def test_a_small_fraction_of_a_small_dataset_keeps_one_picture():
    # 0.1 of 4 pictures rounds to 0, but a validation split was requested.
    _, validation = train_validation_split(np.zeros(4, int), 0.1, split_seed=0)
    assert len(validation) == 1


def test_a_fraction_of_zero_gives_no_validation_split():
    train, validation = train_validation_split(np.zeros(4, int), 0.0, split_seed=0)
    assert (len(train), len(validation)) == (4, 0)


@pytest.mark.parametrize(
    ("validation", "sentence"),
    [
        (9, r"at most 8 of .* can be used for it.*smaller validation split"),
        (-0.1, r"neither a fraction from 0 to 1 nor a number"),
        (float("nan"), r"neither a fraction"),
        (2.5, r"it must be a whole number"),
    ],
)
def test_an_invalid_validation_split_is_refused(validation: float, sentence: str):
    with pytest.raises(RecipeError, match=sentence):
        train_validation_split(np.arange(10) % 2, validation, split_seed=0)


def test_a_limit_is_stratified():
    labels = np.repeat([0, 1], [900, 300])
    train, _ = train_validation_split(labels, 0.0, split_seed=0, train_limit=40)
    assert counts(labels, train, 2) == [30, 10]


def test_a_larger_limit_keeps_the_pictures_of_a_smaller_one():
    labels = np.arange(500) % 7
    small, _ = train_validation_split(labels, 0.1, 0, train_limit=37, seed=5)
    large, _ = train_validation_split(labels, 0.1, 0, train_limit=61, seed=5)
    assert set(small) < set(large)


@pytest.mark.parametrize("limit", [0, 10])
def test_a_limit_beyond_the_training_split_is_refused(limit: int):
    with pytest.raises(
        RecipeError, match=r"between 1 and 9, the size of the training split .*\(1\)"
    ):
        train_validation_split(np.zeros(10, int), 1, 0, train_limit=limit)


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=60),
    seed=st.integers(0, 2**31 - 1),
)
def test_every_prefix_of_the_order_is_stratified(labels, seed):
    labels = np.array(labels)
    order, is_last = stratified_order(labels, seed)
    assert sorted(order) == list(range(len(labels)))
    assert is_last.sum() == len(np.unique(labels))
    sizes = np.bincount(labels)
    for end in range(1, len(labels) + 1):
        # Webster's method can violate the quota, but by less than the number of classes.
        share = end * sizes / len(labels)
        taken = np.bincount(labels[order[:end]], minlength=len(sizes))
        assert np.all(np.abs(taken - share) < len(sizes))


@given(
    labels=st.lists(st.integers(0, 3), min_size=1, max_size=50),
    fraction=st.floats(0, 0.99),
    seed=st.integers(0, 1000),
)
def test_training_and_validation_share_no_picture_and_leave_none_out(labels, fraction, seed):
    labels = np.array(labels)
    train, validation = train_validation_split(labels, fraction, seed)
    assert sorted([*train, *validation]) == list(range(len(labels)))
    assert set(labels[train]) == set(labels)  # every class can be learned


@pytest.mark.parametrize("own", [0, 7])
@pytest.mark.parametrize("validation", [0, 0.01, 0.1, 0.9, 12])
def test_the_size_of_the_validation_split_is_known_before_it_is_made(validation, own):
    info = DatasetInfo("folder:own", "own", (1, 28, 28), ("a", "b"), 40, validation_count=own)
    split = train_validation_split(np.arange(40) % 2, validation, 0, own=own)
    assert validation_size(info, validation) == len(split[1])


def test_few_validation_pictures_are_said_with_the_step_of_the_accuracy():
    # 100 points / 29 pictures
    assert "29 validation pictures, accuracy moves in steps of 3.4 points" in (
        describe_few_validation(29)
    )
    assert describe_few_validation(0) == describe_few_validation(100) == ""

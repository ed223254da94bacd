"""Test pictures on which two runs disagree, and files of predictions that cannot be read."""

import numpy as np
import pytest
from compare_runs import a_store, finish
from example_runs import a_request

from cnnlib.compare.differences import right_and_wrong
from cnnlib.compare.differing_pictures import DifferingPictures, differing_pictures, shares
from cnnlib.errors import StoreError
from cnnlib.records.run import Run
from cnnlib.runs import RunStore

LABELS = [0, 1, 1, 0]


@pytest.fixture
def store(tmp_path):
    opened = a_store(tmp_path)
    yield opened
    opened.close()


def a_run(store: RunStore, predicted: list[int], sure: list[float]) -> Run:
    """A finished run that said this about four pictures of two classes."""
    run_id = store.submit(a_request())
    finish(store, run_id, predictions="test.npz")
    folder = store.folders.run(run_id)
    folder.mkdir(parents=True)
    rows = [
        [share, 1 - share] if said == 0 else [1 - share, share]
        for said, share in zip(predicted, sure, strict=True)
    ]
    probabilities = np.array(rows, np.float16)
    np.savez_compressed(
        folder / "test.npz",
        labels=np.array(LABELS, np.uint8),
        predicted=np.array(predicted),
        probabilities=probabilities,
    )
    return store.run(run_id)


def test_pictures_that_one_gets_right_come_by_how_sure_the_other_was(store):
    right = a_run(store, [0, 1, 1, 1], [0.9] * 4)
    wrong = a_run(store, [1, 0, 1, 0], [0.6, 0.8, 0.9, 0.7])
    found = right_and_wrong(store, right, wrong)
    # The first is wrong about picture 3 alone; the second about 0 (60 % sure) and 1 (80 % sure).
    assert (found.indices, found.labels, found.answers) == ((1, 0), (1, 0), (0, 1))
    assert (found.count_other_way, found.count) == (1, 4)


def test_runs_that_agree_have_no_such_picture(store):
    one = a_run(store, LABELS, [0.9] * 4)
    assert right_and_wrong(store, one, one).indices == ()


def test_two_designs_differ_where_most_seeds_do(store):
    # A is right about picture 0 with two of three seeds, and never about picture 3; B about all but
    # picture 0, which it takes for the other class with all seeds.
    a = [a_run(store, answers, [0.9] * 4) for answers in ([0, 1, 1, 1], [0, 1, 1, 1], [1, 1, 1, 1])]
    b = [a_run(store, [1, 1, 1, 0], [0.9] * 4) for _ in a]
    found = differing_pictures(store, list(zip(a, b, strict=True)))
    assert [(each.index, each.label, each.answers, each.votes) for each in found.pictures] == [
        (0, 0, (0, 1), (2, 3)),
        (3, 0, (1, 0), (3, 3)),
    ]
    assert (found.only_a, found.only_b, found.count, found.pairs) == (1, 1, 4, 3)


def test_a_pair_without_predictions_is_left_out(store):
    a, b = a_run(store, [0, 1, 1, 1], [0.9] * 4), a_run(store, LABELS, [0.9] * 4)
    (store.folders.run(a.id) / "test.npz").unlink()
    assert differing_pictures(store, [(a, b)]) == DifferingPictures()
    assert differing_pictures(store, [(a, b), (b, b)]).pairs == 1


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [([30, 30, 9], [10, 10, 0]), ([30, 4, 9], [16, 4, 0]), ([3, 4, 9], [3, 4, 9])],
)
def test_twenty_pictures_are_shared_by_both_designs(sizes, expected):
    assert shares(sizes, 20) == expected


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize("harm", [cut, lambda _: b"", lambda _: b"\x93NUMPY nothing"])
def test_predictions_that_were_cut_in_half_are_a_sentence(store, harm):
    run = a_run(store, LABELS, [0.9] * 4)
    file = store.folders.run(run.id) / "test.npz"
    file.write_bytes(harm(file.read_bytes()))
    with pytest.raises(StoreError, match="cannot be read.*Train the design again"):
        right_and_wrong(store, run, run)


def test_predictions_of_different_lengths_are_a_sentence(store):
    run = a_run(store, LABELS, [0.9] * 4)
    file = store.folders.run(run.id) / "test.npz"
    np.savez(file, labels=LABELS, predicted=LABELS[:2], probabilities=np.zeros((4, 2)))
    with pytest.raises(StoreError, match="their lengths differ"):
        right_and_wrong(store, run, run)

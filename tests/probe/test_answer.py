"""Answers for a drawing and their robustness: computation, records and figures."""

import numpy as np
import pytest
import torch
from example_runs import a_request, a_store

from cnnlib.design.spec import CNNSpec
from cnnlib.figures.answer import robustness_figure
from cnnlib.nets.model import build_model
from cnnlib.probe.answer import (
    answer,
    apply_change,
    class_probabilities,
    robustness,
    small_changes,
)
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.drawing import Answer, Change, ChangedAnswer, Robustness

INFO = DatasetInfo(
    name="digits",
    title="Digits",
    in_size=(1, 8, 8),
    classes=("no", "yes", "perhaps"),
    mean=(0.25,),
    std=(0.5,),
)
NET = build_model(CNNSpec(in_size=(1, 8, 8), out_classes=3, channels=(4,)), seed=1)


def a_dot(row: int, column: int, side: int = 8) -> np.ndarray:
    picture = np.zeros((1, side, side), np.uint8)
    picture[0, row, column] = 255
    return picture


def an_answer(*probabilities: float, classes=("no", "yes", "perhaps"), title="one") -> Answer:
    return Answer(title, title, classes, probabilities)


# -- probabilities ---------------------------------------------------------------------------------


def test_probabilities_are_those_of_the_normalised_picture():
    pictures = np.random.default_rng(0).integers(0, 256, (3, 1, 8, 8), dtype=np.uint8)
    with torch.no_grad():
        expected = NET.eval()((torch.from_numpy(pictures) / 255 - 0.25) / 0.5).softmax(dim=1)
    found = class_probabilities(NET, INFO, pictures)
    assert found == pytest.approx(expected.numpy(), abs=1e-6)
    assert found.sum(axis=1) == pytest.approx(np.ones(3))


def test_probabilities_keep_the_mode_of_the_network():
    NET.train()
    class_probabilities(NET, INFO, a_dot(1, 1)[None])
    assert NET.training


def test_an_answer_names_the_likeliest_class(tmp_path):
    store = a_store(tmp_path)
    run = store.run(store.submit(a_request(name="mine")))
    original = answer(NET, INFO, run, a_dot(3, 3))
    assert original.title == "mine"
    assert original.probability == max(original.probabilities)
    assert original.name == INFO.classes[original.label]


# -- small changes ---------------------------------------------------------------------------------


def test_a_shift_moves_the_ink_and_fills_with_black():
    assert np.array_equal(apply_change(a_dot(2, 3), Change("right", 2)), a_dot(2, 5))
    assert np.array_equal(apply_change(a_dot(2, 3), Change("down", -1)), a_dot(1, 3))
    assert not apply_change(a_dot(2, 7), Change("right", 1)).any()


def test_a_positive_turn_leans_to_the_right():
    # A stroke from the centre of 9 x 9 upwards points to the right after a turn by 90 degrees.
    stroke = np.zeros((1, 9, 9), np.uint8)
    stroke[0, 0:5, 4] = 255
    turned = apply_change(stroke, Change("turn", 90))
    assert turned[0, 4].tolist() == [0] * 4 + [255] * 5


def test_a_dot_thickened_by_one_pixel_is_a_cross():
    thick = apply_change(a_dot(3, 3), Change("thickness", 1))[0]
    assert [tuple(place) for place in np.argwhere(thick == 255)] == [
        *((2, 3), (3, 2), (3, 3), (3, 4), (4, 3))
    ]
    half = apply_change(a_dot(3, 3), Change("thickness", 0.5))[0]
    assert (half[3, 3], half[2, 3], half[2, 2]) == (255, 128, 0)


def test_thinning_removes_the_edge():
    block = np.zeros((1, 8, 8), np.uint8)
    block[0, 2:5, 2:5] = 255
    assert np.array_equal(apply_change(block, Change("thickness", -1)), a_dot(3, 3))


def test_changes_of_amount_zero_keep_the_picture():
    for change in small_changes():
        if not change.amount:
            assert np.array_equal(apply_change(a_dot(2, 2), change), a_dot(2, 2))


def test_robustness_contains_the_original_answer_for_amount_zero(tmp_path):
    store = a_store(tmp_path)
    run = store.run(store.submit(a_request()))
    picture = a_dot(4, 4)
    original = answer(NET, INFO, run, picture)
    found = robustness(NET, INFO, original, picture)
    assert len(found.changed) == 7 + 7 + 9 + 5
    still = [each for each in found.changed if not each.change.amount]
    assert len(still) == 4 and len(found.real_changes) == 24
    assert {each.name for each in still} == {original.name}
    assert [each.probability for each in still] == pytest.approx(
        [original.probability] * 4, abs=1e-6
    )


def test_unchanged_answers_are_counted():
    original = an_answer(0.1, 0.7, 0.2)
    changed = (
        ChangedAnswer(Change("right", -1), "yes", 0.6),
        ChangedAnswer(Change("right", 0), "yes", 0.7),
        ChangedAnswer(Change("right", 1), "no", 0.2),
    )
    found = Robustness(original, changed)
    assert (found.kept, len(found.real_changes)) == (1, 2)


# -- figures ---------------------------------------------------------------------------------------


def test_the_figure_without_an_answer_has_an_instruction():
    assert robustness_figure([]).layout.annotations[0].text == "Draw something."


def test_a_changed_answer_is_marked_by_a_cross():
    changed = tuple(
        ChangedAnswer(Change(kind, by), name, 0.5)
        for kind in ("right", "down", "turn")
        for by, name in ((-1, "no"), (0, "yes"), (1, "yes"))
    )
    found = robustness_figure([Robustness(an_answer(0.1, 0.7, 0.2), changed)])
    assert len(found.data) == 3  # there is no thickness in a colour picture
    assert list(found.data[0].marker.symbol) == ["x", "circle", "circle"]
    assert found.layout.xaxis3.title.text == "degrees<br>clockwise"

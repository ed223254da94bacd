"""What a network says about a drawing, and how the answer moves; records and figures."""

import numpy as np
import pytest
import torch
from example_runs import a_request, a_store

from cnnlib.design.spec import CNNSpec
from cnnlib.figures.answer import answer_figure, robustness_figure
from cnnlib.nets.model import build_model
from cnnlib.probe.answer import (
    answer,
    changed_picture,
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


def dot(row: int, column: int, side: int = 8) -> np.ndarray:
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


def test_a_network_is_left_in_the_mode_that_it_was_in():
    NET.train()
    class_probabilities(NET, INFO, dot(1, 1)[None])
    assert NET.training


def test_an_answer_names_the_likeliest_class(tmp_path):
    store = a_store(tmp_path)
    run = store.run(store.submit(a_request(name="mine")))
    said = answer(NET, INFO, run, dot(3, 3))
    assert said.title == "mine on digits, seed 0"
    assert said.probability == max(said.probabilities)
    assert said.name == INFO.classes[said.label]


# -- small changes ---------------------------------------------------------------------------------


def test_a_shift_moves_the_ink_and_lets_in_black():
    assert np.array_equal(changed_picture(dot(2, 3), Change("right", 2)), dot(2, 5))
    assert np.array_equal(changed_picture(dot(2, 3), Change("down", -1)), dot(1, 3))
    assert not changed_picture(dot(2, 7), Change("right", 1)).any()


def test_a_positive_turn_leans_to_the_right():
    # A stroke upwards from the middle of 9 x 9 points to the right after a turn by 90 degrees.
    stroke = np.zeros((1, 9, 9), np.uint8)
    stroke[0, 0:5, 4] = 255
    turned = changed_picture(stroke, Change("turn", 90))
    assert turned[0, 4].tolist() == [0] * 4 + [255] * 5


def test_thicker_by_one_pixel_is_a_cross_and_by_a_half_half_of_it():
    thick = changed_picture(dot(3, 3), Change("thickness", 1))[0]
    assert [tuple(place) for place in np.argwhere(thick == 255)] == [
        *((2, 3), (3, 2), (3, 3), (3, 4), (4, 3))
    ]
    half = changed_picture(dot(3, 3), Change("thickness", 0.5))[0]
    assert (half[3, 3], half[2, 3], half[2, 2]) == (255, 128, 0)


def test_thinner_takes_the_edge_away():
    block = np.zeros((1, 8, 8), np.uint8)
    block[0, 2:5, 2:5] = 255
    assert np.array_equal(changed_picture(block, Change("thickness", -1)), dot(3, 3))


def test_no_change_is_no_change():
    for change in small_changes():
        if not change.amount:
            assert np.array_equal(changed_picture(dot(2, 2), change), dot(2, 2))


def test_robustness_holds_the_answer_itself_where_nothing_changed(tmp_path):
    store = a_store(tmp_path)
    run = store.run(store.submit(a_request()))
    picture = dot(4, 4)
    said = answer(NET, INFO, run, picture)
    found = robustness(NET, INFO, said, picture)
    assert len(found.changed) == 7 + 7 + 9 + 5
    still = [each for each in found.changed if not each.change.amount]
    assert len(still) == 4 and len(found.real_changes) == 24
    assert {each.name for each in still} == {said.name}
    assert [each.probability for each in still] == pytest.approx([said.probability] * 4, abs=1e-6)


def test_answers_that_stay_are_counted():
    said = an_answer(0.1, 0.7, 0.2)
    changed = (
        ChangedAnswer(Change("right", -1), "yes", 0.6),
        ChangedAnswer(Change("right", 0), "yes", 0.7),
        ChangedAnswer(Change("right", 1), "no", 0.2),
    )
    found = Robustness(said, changed)
    assert (found.kept, len(found.real_changes)) == (1, 2)


# -- figures ---------------------------------------------------------------------------------------


def test_without_an_answer_the_figures_say_what_to_do():
    assert answer_figure([]).layout.annotations[0].text == "Draw something."
    assert robustness_figure([]).layout.annotations[0].text == "Draw something."


def test_bars_of_several_networks_stand_side_by_side():
    found = answer_figure([an_answer(0.1, 0.7, 0.2), an_answer(0.5, 0.3, 0.2, title="two")])
    assert [list(bar.y) for bar in found.data] == [[10, 70, 20], [50, 30, 20]]
    assert list(found.data[0].x) == ["no", "yes", "perhaps"]
    assert found.layout.barmode == "group" and found.layout.showlegend


def test_of_many_classes_the_likeliest_are_shown_in_their_order():
    classes = tuple(f"class {number}" for number in range(20))
    probabilities = [0.0] * 20
    probabilities[15], probabilities[3] = 0.9, 0.1
    found = answer_figure([an_answer(*probabilities, classes=classes)])
    shown = list(found.data[0].x)
    assert len(shown) == 12
    assert "class 15" in shown and shown.index("class 3") < shown.index("class 15")


def test_a_change_of_mind_is_a_cross():
    changed = tuple(
        ChangedAnswer(Change(kind, by), name, 0.5)
        for kind in ("right", "down", "turn")
        for by, name in ((-1, "no"), (0, "yes"), (1, "yes"))
    )
    found = robustness_figure([Robustness(an_answer(0.1, 0.7, 0.2), changed)])
    assert len(found.data) == 3  # there is no thickness in a colour picture
    assert list(found.data[0].marker.symbol) == ["x", "circle", "circle"]
    assert found.layout.xaxis3.title.text == "degrees<br>to the right"

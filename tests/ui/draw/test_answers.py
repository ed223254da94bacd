"""The cards with the answers of networks."""

import numpy as np

from cnnlib.records.drawing import Answer
from cnnlib.ui.draw.answers import AnswerCard, answers_html, likeliest_labels

PICTURE = np.zeros((1, 28, 28), np.uint8)
CLASSES = ("no", "yes")


def an_answer(*probabilities: float, classes: tuple[str, ...] = ("no", "yes")) -> Answer:
    return Answer("1", "one", classes, probabilities)


def test_a_card_has_the_class_its_probability_and_a_bar_for_each_class():
    html = answers_html([AnswerCard("one", "", PICTURE, CLASSES, an_answer(0.25, 0.75))])
    assert '<strong class="word">yes</strong> <span>75.00 % probability</span>' in html
    assert "<li><span>no</span>" in html and "<li data-best><span>yes</span>" in html
    assert 'style="width:25.0%"' in html and 'style="width:75.0%"' in html


def test_a_card_without_an_answer_has_the_rows_of_one_with_an_answer():
    empty = answers_html([AnswerCard("one", "", PICTURE, CLASSES, None)])
    assert "<strong>?</strong> <span>Draw something.</span>" in empty
    full = answers_html([AnswerCard("one", "", PICTURE, CLASSES, an_answer(0.25, 0.75))])
    assert empty.count("<li") == full.count("<li") == 2


def test_names_are_escaped():
    answer = an_answer(0.9, 0.1, classes=("<b>", "y"))
    html = answers_html([AnswerCard("<i>", "", PICTURE, CLASSES, answer)])
    assert "<b>&lt;" not in html and "&lt;b&gt;" in html and "&lt;i&gt;" in html


def test_only_the_likeliest_of_many_classes_of_all_networks_are_shown():
    classes = tuple(f"class {number}" for number in range(20))
    first, second = [0.0] * 20, [0.0] * 20
    first[15], first[3], second[19] = 0.9, 0.1, 1.0
    answers = [an_answer(*each, classes=classes) for each in (first, second)]
    shown = likeliest_labels(answers)
    assert len(shown) == 10 and shown == sorted(shown)
    assert {3, 15, 19} <= set(shown)

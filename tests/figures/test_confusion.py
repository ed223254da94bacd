"""The figure of the confusion table."""

import numpy as np

from cnnlib.figures.inspect import confusion_figure


def test_nothing_measured_is_an_empty_figure():
    assert len(confusion_figure(np.zeros((2, 2), int), ["a", "b"]).data) == 0


def test_right_and_wrong_answers_are_two_layers_of_cells():
    figure = confusion_figure(np.array([[3, 1], [0, 4]]), ["a", "b"])
    right, wrong = (np.array(trace.z, float) for trace in figure.data)
    # The strength of a cell is the logarithm of its count and one.
    assert right[0, 0] == np.log(4) and right[1, 1] == np.log(5) and np.isnan(right[0, 1])
    assert wrong[0, 1] == np.log(2) and np.isnan(wrong[0, 0]) and np.isnan(wrong[1, 0])


def test_only_a_small_table_has_counts_in_its_cells():
    small = confusion_figure(np.array([[3, 1], [0, 4]]), ["a", "b"])
    assert [note.text for note in small.layout.annotations] == ["3", "1", "4"]
    large = confusion_figure(np.eye(21, dtype=int), [str(i) for i in range(21)])
    assert len(large.layout.annotations) == 0

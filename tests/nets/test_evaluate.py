"""Evaluation in one pass, compared with numbers calculated by hand and with torch."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from cnnlib.nets.evaluate import evaluate, predict, score

# Logits for an identity network; row by row the predicted classes are 0, 1, 1, 2.
LOGITS = torch.tensor(
    [[4.0, 0.0, 0.0, 0.0], [0.0, 2.0, 1.0, 0.0], [0.0, 3.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]
)
LABELS = torch.tensor([0, 1, 0, 2])


def _batches(size: int):
    return zip(LOGITS.split(size), LABELS.split(size), strict=True)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_accuracy_loss_and_confusion_do_not_depend_on_the_batches(size):
    result = evaluate(nn.Identity(), _batches(size), classes=4)
    assert (result.count, result.accuracy) == (4, 0.75)  # wrong: the third, a 0 classified as 1
    assert result.loss == pytest.approx(cross_entropy(LOGITS, LABELS).item())
    assert result.confusion == ((1, 1, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 0))
    assert result.class_accuracy == (0.5, 1.0, 1.0, None)  # no picture of class 3


def test_stored_predictions_score_the_same():
    stored = score(predict(nn.Identity(), _batches(4)))
    assert stored == evaluate(nn.Identity(), _batches(4), classes=4)


def test_an_empty_split_scores_nothing():
    result = evaluate(nn.Identity(), [], classes=2)
    assert (result.count, result.accuracy, result.loss) == (0, 0.0, 0.0)
    assert result.class_accuracy == (None, None)


def test_a_network_is_measured_in_evaluation_mode_and_left_as_it_was():
    net = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.9))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    first = evaluate(net, _batches(2), classes=4)
    assert first == evaluate(net, _batches(2), classes=4)  # no dropout
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_loss_that_is_nan_stays_nan():
    broken = [(torch.full((2, 3), math.nan), torch.tensor([0, 1]))]
    assert math.isnan(evaluate(nn.Identity(), broken, classes=3).loss)

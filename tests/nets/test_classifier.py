"""`ArgMaxClassifier`: probabilities and labels from scores, calculated by hand."""

import math

import torch
from torch import nn

from cnnlib import ArgMaxClassifier


def constant_classifier(rows: list[list[float]]) -> ArgMaxClassifier:
    """Build a classifier with a model that returns these scores for every batch."""

    class Constant(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.tensor(rows)

    return ArgMaxClassifier(Constant())


def test_forward_gives_the_models_scores():
    x = torch.randn(4, 3)
    model = nn.Linear(3, 5)
    assert torch.equal(ArgMaxClassifier(model)(x), model(x))


def test_probabilities_are_the_softmax_of_the_scores():
    # exp(ln 3) : exp(0) = 3 : 1
    probabilities = constant_classifier([[math.log(3), 0.0]]).predict_proba(torch.zeros(1))
    torch.testing.assert_close(probabilities, torch.tensor([[0.75, 0.25]]))


def test_rows_of_probabilities_sum_to_one_for_large_scores_too():
    sums = (
        constant_classifier([[1e4, -1e4, 9e3], [0.0, 0.0, 0.0]])
        .predict_proba(torch.zeros(2))
        .sum(dim=1)
    )
    torch.testing.assert_close(sums, torch.ones(2))


def test_the_label_is_the_class_of_the_largest_score():
    labels = constant_classifier([[0.0, 2.0, 1.0], [5.0, -1.0, 4.0]]).classify(torch.zeros(2))
    assert labels.tolist() == [1, 0]
    assert labels.dtype == torch.int64


def test_the_model_is_a_part_of_the_classifier():
    model = nn.Linear(3, 5)
    assert list(ArgMaxClassifier(model).parameters()) == list(model.parameters())

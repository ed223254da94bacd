"""`ArgMaxClassifier`: from scores to probabilities and labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ArgMaxClassifier(nn.Module):
    """A model that answers with the class of the largest score.

    Args:
        model: Gives N x classes scores (logits) for a batch of N. Put it into evaluation mode
            (``classifier.eval()``) before asking.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """A batch -> N x classes scores, as the model gives them."""
        return self.model(x)

    def predict_proba(self, x: Tensor) -> Tensor:
        """A batch -> N x classes probabilities; every row sums to 1."""
        return torch.softmax(self(x), dim=1)

    def classify(self, x: Tensor) -> Tensor:
        """A batch -> N labels, int64; the first of equal scores wins."""
        return torch.argmax(self(x), dim=1)

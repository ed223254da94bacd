"""Evaluation on a split: loss, accuracy and confusion table in one pass, without gradients."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from cnnlib.records.events import SplitResult


@dataclass(frozen=True)
class Predictions:
    """The outputs of a network for each picture of a split, on the CPU, in the split's order.

    Args:
        labels: The true classes, N, int64.
        logits: N x classes, float32.
    """

    labels: Tensor
    logits: Tensor


def evaluate(net: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], classes: int) -> SplitResult:
    """Evaluate a network on a split, in evaluation mode; its former mode is restored.

    Only counts and a sum are kept, so memory does not grow with the split.

    Args:
        batches: Pairs of pictures (N x C x H x W, normalised) and labels (N, int64), on the net's
            device.
        classes: Number of classes, the side of the confusion table.
    """
    sums = None
    with evaluating(net), torch.inference_mode():
        for images, labels in batches:
            sums = sums or _RunningSums.empty(classes, images.device)
            sums.add(net(images), labels)
    return (sums or _RunningSums.empty(classes, torch.device("cpu"))).result()


def predict(net: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> Predictions:
    """Return the outputs of a network for each picture, in evaluation mode."""
    labels, logits = [], []
    with evaluating(net), torch.inference_mode():
        for images, true_labels in batches:
            labels.append(true_labels)
            logits.append(net(images).float())
    return Predictions(torch.cat(labels).cpu(), torch.cat(logits).cpu())


def score(predictions: Predictions) -> SplitResult:
    """Compute the result of `evaluate` from predictions."""
    sums = _RunningSums.empty(predictions.logits.shape[1], predictions.logits.device)
    sums.add(predictions.logits, predictions.labels)
    return sums.result()


@contextmanager
def evaluating(net: nn.Module) -> Generator[None]:
    """Set evaluation mode, and restore the former mode at the end."""
    was_training = net.training
    net.eval()
    try:
        yield
    finally:
        net.train(was_training)


@dataclass
class _RunningSums:
    """Sums over the batches so far, on the device; copied to the CPU once, at the end."""

    loss: Tensor  # float64 sum; float32 where a device has no float64
    confusion: Tensor  # classes * classes counts, row by row

    @classmethod
    def empty(cls, classes: int, device: torch.device) -> _RunningSums:
        dtype = torch.float32 if device.type == "mps" else torch.float64
        counts = torch.zeros(classes * classes, dtype=torch.int64, device=device)
        return cls(torch.zeros((), dtype=dtype, device=device), counts)

    def add(self, logits: Tensor, labels: Tensor) -> None:
        classes = logits.shape[1]
        self.loss += cross_entropy(logits.float(), labels, reduction="sum")
        cells = labels * classes + logits.argmax(dim=1)
        self.confusion += torch.bincount(cells, minlength=classes * classes)

    def result(self) -> SplitResult:
        classes = round(self.confusion.numel() ** 0.5)
        table = self.confusion.reshape(classes, classes).cpu()
        count, right = int(table.sum()), table.diagonal()
        per_class = zip(right.tolist(), table.sum(dim=1).tolist(), strict=True)
        return SplitResult(
            loss=self.loss.item() / max(1, count),
            accuracy=int(right.sum()) / max(1, count),
            count=count,
            class_accuracy=tuple(hits / total if total else None for hits, total in per_class),
            confusion=tuple(tuple(row) for row in table.tolist()),
        )


class ArgMaxClassifier(nn.Module):
    """A classifier that returns the class of the largest score.

    Args:
        model: Returns N x classes scores (logits) for a batch of N. Set evaluation mode
            (``classifier.eval()``) before use.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """Return the model's N x classes scores of a batch."""
        return self.model(x)

    def predict_proba(self, x: Tensor) -> Tensor:
        """Return the N x classes probabilities of a batch; every row sums to 1."""
        return torch.softmax(self(x), dim=1)

    def classify(self, x: Tensor) -> Tensor:
        """Return the N labels of a batch, int64; of equal scores, the first."""
        return torch.argmax(self(x), dim=1)

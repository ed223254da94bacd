"""What a network scores on a split: loss, accuracy and confusion in one pass, without gradients."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from cnnlib.records.events import SplitResult

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable


@dataclass(frozen=True)
class Predictions:
    """What a network says about each picture of a split, on the CPU, in the order of the split.

    Args:
        labels: N, int64: the true classes.
        logits: N x classes, float32.
    """

    labels: Tensor
    logits: Tensor


def evaluate(net: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], classes: int) -> SplitResult:
    """Score a network on a split, in evaluation mode; it is left in the mode that it was in.

    Only counts and a sum are kept, so that a split of any size fits.

    Args:
        batches: Pairs of pictures (N x C x H x W, normalised) and labels (N, int64), on the net's
            device.
        classes: Number of classes, which is the side of the confusion table.
    """
    tally = None
    with _evaluating(net):
        for images, labels in batches:
            tally = tally or _Tally.empty(classes, images.device)
            tally.add(net(images), labels)
    return (tally or _Tally.empty(classes, torch.device("cpu"))).result()


def predict(net: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> Predictions:
    """Keep what a network says about each picture, in evaluation mode."""
    labels, logits = [], []
    with _evaluating(net):
        for images, truth in batches:
            labels.append(truth)
            logits.append(net(images).float())
    return Predictions(torch.cat(labels).cpu(), torch.cat(logits).cpu())


def score(predictions: Predictions) -> SplitResult:
    """The same numbers as `evaluate`, from predictions that were kept."""
    tally = _Tally.empty(predictions.logits.shape[1], predictions.logits.device)
    tally.add(predictions.logits, predictions.labels)
    return tally.result()


@contextmanager
def _evaluating(net: nn.Module) -> Generator[None]:
    """Evaluation mode without gradients inside, the former mode after."""
    was_training = net.training
    net.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        net.train(was_training)


@dataclass
class _Tally:
    """Sums over the batches seen so far, on the device, read once at the end."""

    loss: Tensor  # float64 sum; float32 where a device has no float64
    confusion: Tensor  # classes * classes counts, row by row

    @classmethod
    def empty(cls, classes: int, device: torch.device) -> _Tally:
        kind = torch.float32 if device.type == "mps" else torch.float64
        counts = torch.zeros(classes * classes, dtype=torch.int64, device=device)
        return cls(torch.zeros((), dtype=kind, device=device), counts)

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
            class_accuracy=tuple(hits / there if there else None for hits, there in per_class),
            confusion=tuple(tuple(row) for row in table.tolist()),
        )


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

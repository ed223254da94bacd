"""Predictions of a network, and their robustness to small changes of the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage

from cnnlib.data.batches import Normaliser
from cnnlib.nets.evaluate import evaluating
from cnnlib.probe.forward import check_finite
from cnnlib.records.drawing import Answer, Change, ChangedAnswer, Robustness

if TYPE_CHECKING:
    from cnnlib.nets.model import Network
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.run import Run

SHIFTS = (-3, -2, -1, 0, 1, 2, 3)  # pixels
TURNS = (-20, -15, -10, -5, 0, 5, 10, 15, 20)  # degrees
THICKNESSES = (-1, -0.5, 0, 0.5, 1)  # pixels on every side
_CROSS = ndimage.generate_binary_structure(2, 1)


def class_probabilities(net: Network, info: DatasetInfo, pictures: np.ndarray) -> np.ndarray:
    """Compute the class probabilities of pictures.

    Args:
        net: Its mode (training or evaluation) is restored.
        info: Of the dataset of its training, for mean and deviation.
        pictures: N x C x H x W, uint8.

    Returns:
        N x classes, float64; each row sums to 1.

    Raises:
        ProbeError: A score is NaN or infinite.
    """
    with evaluating(net), torch.inference_mode():
        images = Normaliser(info, "cpu")(torch.from_numpy(np.array(pictures)))
        logits = net(images)
        check_finite(logits)
        return logits.double().softmax(dim=1).numpy()


def answer(net: Network, info: DatasetInfo, run: Run, picture: np.ndarray) -> Answer:
    """Predict the class of one picture (C x H x W, uint8) with the network of a run."""
    probabilities = class_probabilities(net, info, picture[None])[0]
    return Answer(run.id, run.title, info.classes, tuple(map(float, probabilities)))


def robustness(
    net: Network, info: DatasetInfo, original: Answer, picture: np.ndarray
) -> Robustness:
    """Predict the class of a picture after small shifts, rotations and changes of thickness.

    Args:
        original: Result of `answer` for the picture.
        picture: C x H x W, uint8.
    """
    changes = small_changes(picture.shape[0])
    pictures = np.stack([apply_change(picture, change) for change in changes])
    probabilities = class_probabilities(net, info, pictures)
    rows = zip(changes, probabilities, strict=True)
    return Robustness(
        original,
        tuple(
            ChangedAnswer(change, info.classes[int(row.argmax())], float(row[original.label]))
            for change, row in rows
        ),
    )


def small_changes(channels: int = 1) -> tuple[Change, ...]:
    """Return all small changes; thickness is changed in grey pictures only."""
    changes = [Change(kind, by) for kind in ("right", "down") for by in SHIFTS]
    changes += [Change("turn", by) for by in TURNS]
    if channels == 1:
        changes += [Change("thickness", by) for by in THICKNESSES]
    return tuple(changes)


def apply_change(picture: np.ndarray, change: Change) -> np.ndarray:
    """Apply a small change to a picture (C x H x W, uint8); new pixels at the edges are black."""
    if not change.amount:
        return picture
    if change.kind == "turn":
        turned = ndimage.rotate(
            picture.astype(np.float64), -change.amount, axes=(1, 2), reshape=False, order=1
        )
        return np.clip(np.rint(turned), 0, 255).astype(np.uint8)
    if change.kind == "thickness":
        return np.stack([_thicken(channel, change.amount) for channel in picture])
    by = (0, 0, change.amount) if change.kind == "right" else (0, change.amount, 0)
    return ndimage.shift(picture, by, order=0, mode="constant")


def _thicken(ink: np.ndarray, by: float) -> np.ndarray:
    """Widen strokes by -1 to 1 pixel on every side: interpolate to the dilation or erosion."""
    grown = (ndimage.grey_dilation if by > 0 else ndimage.grey_erosion)(ink, footprint=_CROSS)
    mixed = ink + abs(by) * (grown.astype(np.float64) - ink)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)

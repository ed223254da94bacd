"""What a network says about pictures, and how its answer moves when a picture changes a little."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage

from cnnlib.data.batches import Normaliser
from cnnlib.probe.forward import evaluating
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
    """Softmax of what a network gives.

    Args:
        net: In evaluation mode or not; it is left as it was.
        info: Of the dataset that it was trained on, for its mean and deviation.
        pictures: N x C x H x W, uint8.

    Returns:
        N x classes, float64; each row sums to 1.
    """
    with evaluating(net), torch.inference_mode():
        images = Normaliser(info, "cpu")(torch.from_numpy(np.array(pictures)))
        return net(images).double().softmax(dim=1).numpy()


def answer(net: Network, info: DatasetInfo, run: Run, picture: np.ndarray) -> Answer:
    """What the network of a run says about one picture (C x H x W, uint8)."""
    found = class_probabilities(net, info, picture[None])[0]
    return Answer(run.id, run.title, info.classes, tuple(map(float, found)))


def robustness(net: Network, info: DatasetInfo, said: Answer, picture: np.ndarray) -> Robustness:
    """How an answer moves when what the network sees is moved, turned or thickened a little.

    Args:
        said: What `answer` gave for the picture.
        picture: C x H x W, uint8.
    """
    changes = small_changes(picture.shape[0])
    pictures = np.stack([changed_picture(picture, change) for change in changes])
    found = class_probabilities(net, info, pictures)
    rows = zip(changes, found, strict=True)
    return Robustness(
        said,
        tuple(
            ChangedAnswer(change, info.classes[int(row.argmax())], float(row[said.label]))
            for change, row in rows
        ),
    )


def small_changes(channels: int = 1) -> tuple[Change, ...]:
    """All changes that are tried; strokes are thickened in grey pictures only."""
    found = [Change(kind, by) for kind in ("right", "down") for by in SHIFTS]
    found += [Change("turn", by) for by in TURNS]
    if channels == 1:
        found += [Change("thickness", by) for by in THICKNESSES]
    return tuple(found)


def changed_picture(picture: np.ndarray, change: Change) -> np.ndarray:
    """A picture (C x H x W, uint8) after a small change; what comes in from outside is black."""
    if not change.amount:
        return picture
    if change.kind == "turn":
        turned = ndimage.rotate(
            picture.astype(np.float64), -change.amount, axes=(1, 2), reshape=False, order=1
        )
        return np.clip(np.rint(turned), 0, 255).astype(np.uint8)
    if change.kind == "thickness":
        return np.stack([_thickened(channel, change.amount) for channel in picture])
    by = (0, 0, change.amount) if change.kind == "right" else (0, change.amount, 0)
    return ndimage.shift(picture, by, order=0, mode="constant")


def _thickened(ink: np.ndarray, by: float) -> np.ndarray:
    """Strokes wider by a part of a pixel on every side: between the ink and its dilation."""
    grown = (ndimage.grey_dilation if by > 0 else ndimage.grey_erosion)(ink, footprint=_CROSS)
    mixed = ink + abs(by) * (grown.astype(np.float64) - ink)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)

"""What is measured beside training: splits after an epoch and at the end, and the net's latency."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from cnnlib.nets.evaluate import Predictions, evaluate, predict, score
from cnnlib.records.events import EpochEnd, SplitResult
from cnnlib.records.files import replacing
from cnnlib.train.execution.machine import wait_for
from cnnlib.train.schedule import CPU_EVALUATION_BATCH, GPU_EVALUATION_BATCH

if TYPE_CHECKING:
    from pathlib import Path

    from cnnlib.train.control import Control
    from cnnlib.train.session import Session

PREDICTIONS_FILE = "predictions.npz"
_MOST_CLASSES_IN_A_TABLE = 100
_LATENCY_SECONDS = 0.1

Batches = Iterator[tuple[Tensor, Tensor]]


class Interrupted(Exception):
    """The app is shut down while a split is measured; a run that goes on measures it again."""


def measure_epoch(session: Session) -> EpochEnd:
    """The epoch as it was trained, and the validation split after it.

    Before the first step there is nothing that was trained: the training split is measured too.

    Raises:
        Interrupted: Somebody shuts down the app.
    """
    progress, data = session.progress, session.data
    begin = perf_counter()
    if progress.position:
        loss, accuracy = (s / progress.position for s in (progress.loss_sum, progress.correct))
    else:
        train = _score(session, _training_batches(session))
        loss, accuracy = train.loss, train.accuracy
    size, layout = _batch_size(session), session.mode.memory_format
    val = test = None
    if data.validation_count:
        val = _score(session, data.validation_batches(size, layout))
    if session.request.recipe.test_each_epoch and data.test_count:
        test = _score(session, data.test_batches(size, layout))
    return EpochEnd(
        epoch=progress.epoch + 1 if progress.position else 0,
        step=progress.step,
        train_loss=loss,
        train_accuracy=accuracy,
        val_loss=val.loss if val else None,
        val_accuracy=val.accuracy if val else None,
        seconds=progress.train_seconds - progress.epoch_began,
        eval_seconds=perf_counter() - begin,
        test_loss=test.loss if test else None,
        test_accuracy=test.accuracy if test else None,
        val_confusion=_small_table(val),
        dead_units=dead_units(session.net, _some_pictures(session)),
        memory_bytes=session.memory.bytes(),
    )


def has_numbers(epoch: EpochEnd) -> bool:
    """Every loss that was measured is a number."""
    losses = (epoch.train_loss, epoch.val_loss, epoch.test_loss)
    return all(math.isfinite(loss) for loss in losses if loss is not None)


def measure_test(session: Session) -> SplitResult | None:
    """The test split, once; what the net says about each picture is kept in the run's folder.

    Raises:
        Interrupted: Somebody shuts down the app.
    """
    if not session.data.test_count:
        return None
    batches = session.data.test_batches(_batch_size(session), session.mode.memory_format)
    predictions = predict(session.net, _until_interrupted(batches, session.control))
    result = score(predictions)
    if session.folder is None or not math.isfinite(result.loss):
        return result
    write_predictions(session.folder / PREDICTIONS_FILE, predictions)
    return replace(result, predictions_file=PREDICTIONS_FILE)


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Labels, predicted classes (uint8, or uint16) and probabilities (float16) of each picture."""
    kind = np.uint8 if predictions.logits.shape[1] <= 256 else np.uint16
    with replacing(path) as file:
        np.savez_compressed(
            file,
            labels=predictions.labels.numpy().astype(kind),
            predicted=predictions.logits.argmax(dim=1).numpy().astype(kind),
            probabilities=predictions.logits.softmax(dim=1).numpy().astype(np.float16),
        )


def measure_latency(session: Session) -> dict[str, float]:
    """Median seconds of a forward pass, of one picture and of a batch, in evaluation mode."""
    images, _ = session.data.first_batch(session.request.recipe.batch_size)
    images = images.contiguous(memory_format=session.mode.memory_format)
    return {
        "one": forward_seconds(session.net, images[:1]),
        "batch": forward_seconds(session.net, images),
        "batch_size": len(images),
    }


@torch.inference_mode()
def forward_seconds(net: nn.Module, images: Tensor) -> float:
    """Median seconds that a net needs for a batch, of 3 to 30 passes within a tenth of a second."""
    was_training = net.training
    net.eval()
    seconds: list[float] = []
    end = perf_counter() + _LATENCY_SECONDS
    while len(seconds) < 3 or (perf_counter() < end and len(seconds) < 30):
        begin = perf_counter()
        net(images)
        wait_for(images.device)
        seconds.append(perf_counter() - begin)
    net.train(was_training)
    return median(seconds)


def _training_batches(session: Session) -> Batches:
    """The training split as it is, without augmentation."""
    layout = session.mode.memory_format
    for positions in torch.arange(session.data.train_count).split(_batch_size(session)):
        yield session.data.train_batch(positions, memory_format=layout)


def _some_pictures(session: Session) -> Tensor:
    """A batch of validation pictures, or of training pictures where none are kept for that."""
    data, layout = session.data, session.mode.memory_format
    if data.validation_count:
        return next(data.validation_batches(PICTURES, layout))[0]
    positions = torch.arange(min(PICTURES, data.train_count))
    return data.train_batch(positions, memory_format=layout)[0]


def _batch_size(session: Session) -> int:
    return CPU_EVALUATION_BATCH if session.device.type == "cpu" else GPU_EVALUATION_BATCH


def _score(session: Session, batches: Batches) -> SplitResult:
    classes = session.request.spec.out_classes
    return evaluate(session.net, _until_interrupted(batches, session.control), classes)


def _until_interrupted(batches: Batches, control: Control) -> Batches:
    for batch in batches:
        if control.interrupted:
            raise Interrupted
        yield batch


def _small_table(result: SplitResult | None) -> tuple[tuple[int, ...], ...] | None:
    """The confusion table, where it is small enough to be kept for every epoch."""
    if result is None or len(result.confusion) > _MOST_CLASSES_IN_A_TABLE:
        return None
    return result.confusion


PICTURES = 128  # that a unit must be 0 on to count as dead: a look, not a proof


@torch.inference_mode()
def dead_units(net: nn.Module, images: Tensor) -> dict[str, float]:
    """The share of dead units behind each ReLU, by the layer's name, in forward order.

    A unit is a feature map, or a feature of a flat layer.

    Args:
        net: Is asked in evaluation mode and left as it was.
        images: N x C x H x W, as the net is fed.
    """
    found: dict[str, float] = {}
    hooks = [
        module.register_forward_hook(_measure(name, found))
        for name, module in net.named_modules()
        if isinstance(module, nn.ReLU)
    ]
    was_training = net.training
    try:
        if hooks:
            net.eval()(images)
    finally:
        net.train(was_training)
        for hook in hooks:
            hook.remove()
    return found


def _measure(name: str, found: dict[str, float]) -> Callable[..., None]:
    def after(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        largest = output.amax(dim=[axis for axis in range(output.ndim) if axis != 1])  # C
        found[name] = float((largest == 0).float().mean())

    return after

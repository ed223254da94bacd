"""Evaluation of a run: splits after each epoch and at the end, latency, dead units."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from cnnlib.nets.evaluate import Predictions, evaluate, evaluating, predict, score
from cnnlib.records.events import EpochEnd, SplitResult
from cnnlib.records.files import replacing
from cnnlib.train.execution.machine import wait_for

if TYPE_CHECKING:
    from cnnlib.train.control import Control
    from cnnlib.train.session import Session

PREDICTIONS_FILE = "predictions.npz"
_MAX_CONFUSION_CLASSES = 100
_LATENCY_SECONDS = 0.1

Batches = Iterator[tuple[Tensor, Tensor]]


class Interrupted(Exception):
    """The run was interrupted during an evaluation; a resumed run repeats the evaluation."""


def measure_epoch(session: Session) -> EpochEnd:
    """Return the training metrics of the epoch, with metrics of the validation split.

    Before the first step the training split is evaluated too, as there are no training metrics.

    Raises:
        Interrupted: The run was interrupted.
    """
    progress, data = session.progress, session.data
    begin = perf_counter()
    if progress.position:
        loss, accuracy = (s / progress.position for s in (progress.loss_sum, progress.correct))
    else:
        train = _evaluate_batches(session, _training_batches(session))
        loss, accuracy = train.loss, train.accuracy
    size, layout = session.evaluation_batch, session.mode.memory_format
    val, test = measure_validation(session), None
    if session.request.recipe.test_each_epoch and data.test_count:
        test = _evaluate_batches(session, data.test_batches(size, layout))
    return EpochEnd(
        epoch=progress.epoch + 1 if progress.position else 0,
        step=progress.step,
        train_loss=loss,
        train_accuracy=accuracy,
        val_loss=val.loss if val else None,
        val_accuracy=val.accuracy if val else None,
        seconds=progress.train_seconds - progress.epoch_began,
        eval_seconds=perf_counter() - begin + session.sample.take_seconds(),
        test_loss=test.loss if test else None,
        test_accuracy=test.accuracy if test else None,
        val_confusion=_small_confusion(val),
        dead_units=dead_units(
            session.net, (images := dead_unit_images(session)).split(session.evaluation_batch)
        ),
        dead_units_images=len(images),
        memory_bytes=session.memory.bytes(),
    )


def measure_validation(session: Session) -> SplitResult | None:
    """Evaluate the validation split; None where there is none.

    Raises:
        Interrupted: The run was interrupted.
    """
    size, layout = session.evaluation_batch, session.mode.memory_format
    batches = session.data.validation_batches(size, layout)
    return _evaluate_batches(session, batches) if session.data.validation_count else None


def has_finite_losses(epoch: EpochEnd) -> bool:
    """Return whether every measured loss is finite."""
    losses = (epoch.train_loss, epoch.val_loss, epoch.test_loss)
    return all(math.isfinite(loss) for loss in losses if loss is not None)


def measure_test(session: Session) -> SplitResult | None:
    """Evaluate the test split and write the predictions into the run's folder.

    Raises:
        Interrupted: The run was interrupted.
    """
    if not session.data.test_count:
        return None
    batches = session.data.test_batches(session.evaluation_batch, session.mode.memory_format)
    predictions = predict(session.net, _check_interrupted(batches, session.control))
    result = score(predictions)
    if session.folder is None or not math.isfinite(result.loss):
        return result
    name = session.saver.file_name(PREDICTIONS_FILE)
    write_predictions(session.folder / name, predictions)
    return replace(result, predictions_file=name)


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write labels and predicted classes (uint8 or uint16) and probabilities (float16)."""
    dtype = np.uint8 if predictions.logits.shape[1] <= 256 else np.uint16
    with replacing(path) as file:
        np.savez_compressed(
            file,
            labels=predictions.labels.numpy().astype(dtype),
            predicted=predictions.logits.argmax(dim=1).numpy().astype(dtype),
            probabilities=predictions.logits.softmax(dim=1).numpy().astype(np.float16),
        )


def measure_latency(session: Session) -> dict[str, float]:
    """Return the median seconds of a forward pass of one picture and of a batch."""
    images, _ = session.data.first_batch(session.request.recipe.batch_size)
    images = images.contiguous(memory_format=session.mode.memory_format)
    return {
        "one": forward_seconds(session.net, images[:1]),
        "batch": forward_seconds(session.net, images),
        "batch_size": len(images),
    }


@torch.inference_mode()
def forward_seconds(net: nn.Module, images: Tensor) -> float:
    """Return the median seconds of 3 to 30 forward passes in evaluation mode.

    After the third pass no further pass begins once a tenth of a second is over.
    """
    seconds: list[float] = []
    end = perf_counter() + _LATENCY_SECONDS
    with evaluating(net):
        while len(seconds) < 3 or (perf_counter() < end and len(seconds) < 30):
            begin = perf_counter()
            net(images)
            wait_for(images.device)
            seconds.append(perf_counter() - begin)
    return median(seconds)


def _training_batches(session: Session) -> Batches:
    """Yield the training split without augmentation."""
    layout = session.mode.memory_format
    for positions in torch.arange(session.data.train_count).split(session.evaluation_batch):
        yield session.data.train_batch(positions, memory_format=layout)


def dead_unit_images(session: Session) -> Tensor:
    """Return a batch of validation pictures, or of training pictures if there are none."""
    data, layout = session.data, session.mode.memory_format
    if data.validation_count:
        return next(data.validation_batches(DEAD_UNIT_IMAGES, layout))[0]
    positions = torch.arange(min(DEAD_UNIT_IMAGES, data.train_count))
    return data.train_batch(positions, memory_format=layout)[0]


def initial_dead_units(session: Session) -> dict[str, float]:
    """Return the dead units before the first step; empty where a run continues."""
    if session.progress.step or not session.total_steps:
        return {}
    return dead_units(session.net, dead_unit_images(session).split(session.evaluation_batch))


def _evaluate_batches(session: Session, batches: Batches) -> SplitResult:
    classes = session.request.spec.out_classes
    return evaluate(session.net, _check_interrupted(batches, session.control), classes)


def _check_interrupted(batches: Batches, control: Control) -> Batches:
    for batch in batches:
        if control.interrupted:
            raise Interrupted
        yield batch


def _small_confusion(result: SplitResult | None) -> tuple[tuple[int, ...], ...] | None:
    """Return the confusion matrix if it is small enough to be stored for every epoch."""
    if result is None or len(result.confusion) > _MAX_CONFUSION_CLASSES:
        return None
    return result.confusion


DEAD_UNIT_IMAGES = 256  # a unit that is 0 on all of them counts as dead: a sample, not a proof


@torch.inference_mode()
def dead_units(net: nn.Module, batches: Sequence[Tensor]) -> dict[str, float]:
    """Return the share of dead units after each ReLU, by the layer's name, in forward order.

    A unit is a feature map, or a feature of a flat layer.

    Args:
        net: Run in evaluation mode; its mode is restored afterwards.
        batches: Each N x C x H x W, preprocessed.
    """
    largest: dict[str, Tensor] = {}  # C, by layer
    hooks = [
        module.register_forward_hook(_largest_hook(name, largest))
        for name, module in net.named_modules()
        if isinstance(module, nn.ReLU)
    ]
    try:
        if hooks:
            with evaluating(net):
                for images in batches:
                    net(images)
    finally:
        for hook in hooks:
            hook.remove()
    return {name: float((values == 0).float().mean()) for name, values in largest.items()}


def _largest_hook(name: str, largest: dict[str, Tensor]) -> Callable[..., None]:
    """Return a forward hook that keeps the largest output of each channel over all batches."""

    def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        values = output.amax(dim=[axis for axis in range(output.ndim) if axis != 1])  # C
        largest[name] = torch.maximum(largest[name], values) if name in largest else values

    return hook

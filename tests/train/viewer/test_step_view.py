"""What one batch changed: computed again from saved weights, it is what the run did."""

from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
import torch
from sample_data import copied_digits

from cnnlib.design.spec import CNNSpec
from cnnlib.errors import ProbeError, TrainError
from cnnlib.nets.model import build_model
from cnnlib.records.events import Command, StepMetrics
from cnnlib.records.maps import StepRequest
from cnnlib.records.recipe import Augmentation, Recipe
from cnnlib.records.run import RunRequest
from cnnlib.train.checkpoint import read_checkpoint
from cnnlib.train.control import Control
from cnnlib.train.loop import train
from cnnlib.train.optimizers import build_optimizer, clip, total_norm
from cnnlib.train.viewer import batch_replay
from cnnlib.train.viewer.batch_replay import replay
from cnnlib.train.viewer.step_view import step_view

SPEC = CNNSpec(
    channels=(4, 6), kernel_size=3, hidden_dims=(8,), norm="batch", dropout=0.1, hidden_dropout=0.1
)
STEPS = 20


def stepped(folder, **recipe) -> tuple[RunRequest, list[StepMetrics]]:
    """Train single batches, with a pause after each one; an epoch has three batches."""
    digits = copied_digits()
    folder.mkdir()
    recipe = Recipe(epochs=50, batch_size=64, **recipe)
    request = RunRequest(SPEC, recipe, "digits", seed=3, train_limit=190, device="cpu")
    control = Control()
    for kind in ("pause", *["step"] * STEPS, "stop"):
        control.put(Command(kind))
    events = train(
        request,
        digits,
        folder=folder,
        control=control,
        threads=1,
        is_sketch=True,
    )
    return request, [event for event in events if isinstance(event, StepMetrics)]


def numbers(text: str) -> np.ndarray:
    return np.frombuffer(b64decode(text), "<f4")


def checkpoints(folder, step) -> tuple[Path, Path]:
    before, after = (folder / f"checkpoint-{each:08}.safetensors" for each in (step - 1, step))
    return before, after


def shown(folder, request, step, chosen=(2, 1), source=3) -> dict:
    return step_view(StepRequest(*checkpoints(folder, step), request, step, chosen, source))


@pytest.mark.parametrize(
    ("decay", "class_balance"), [(0.0, "none"), (0.02, "weights"), (0.0, "sampling")]
)
def test_20_steps_of_plain_sgd_are_the_stored_weights(tmp_path, decay, class_balance):
    folder = tmp_path / "run"
    recipe = {
        "augmentation": Augmentation(shift=2),
        "weight_decay": decay,
        "class_balance": class_balance,
    }
    request, metrics = stepped(folder, optimizer="sgd", lr=0.1, **recipe)
    for step in range(2, STEPS + 1):
        view = shown(folder, request, step)
        before, gradient, after = (
            numbers(view["filter"][name]) for name in ("before", "gradient", "after")
        )
        assert (view["weight_decay"], view["lr"], view["clipping"]) == (decay, 0.1, 1.0)
        stored = read_checkpoint(folder / f"checkpoint-{step:08}.safetensors").weights
        np.testing.assert_array_equal(after, stored["features.conv2.weight"][1].reshape(-1))
        np.testing.assert_allclose(
            before - 0.1 * (gradient + decay * before), after, rtol=0, atol=1e-7
        )
        assert np.abs(gradient).max() > 1e-4
        assert view["loss"][0] == pytest.approx(metrics[step - 1].loss, rel=1e-5)


@pytest.mark.parametrize("clip_grad_norm", [None, 0.5])
def test_20_steps_of_adamw_follow_from_the_shown_gradients(tmp_path, clip_grad_norm):
    folder = tmp_path / "run"
    request, _ = stepped(folder, optimizer="adamw", lr=0.002, clip_grad_norm=clip_grad_norm)
    for step in range(2, STEPS + 1):
        found = replay(*checkpoints(folder, step), request)
        start = read_checkpoint(folder / f"checkpoint-{step - 1:08}.safetensors")
        net = build_model(SPEC, seed=0)
        net.load_state_dict(start.weights)
        optimizer = build_optimizer(net, request.recipe)
        optimizer.restore(start.optimizer)
        for name, parameter in net.named_parameters():
            parameter.grad = found.gradients[name].clone()
        gradients = optimizer.gradients()
        if clip_grad_norm is not None:
            norm = total_norm(gradients)
            assert found.clipping == pytest.approx(min(1, clip_grad_norm / float(norm)), rel=1e-4)
            clip(gradients, norm, clip_grad_norm)
        optimizer.step(gradients)
        for name, parameter in net.named_parameters():
            torch.testing.assert_close(parameter.detach(), found.after[name], rtol=0, atol=1e-7)
        view = shown(folder, request, step)
        stored = read_checkpoint(folder / f"checkpoint-{step:08}.safetensors").weights
        kernel = stored["features.conv2.weight"][1].reshape(-1)
        np.testing.assert_array_equal(numbers(view["filter"]["after"]), kernel)


def test_a_gradient_is_the_sum_over_positions_and_pictures(tmp_path):
    folder = tmp_path / "run"
    request, _ = stepped(folder, optimizer="sgd", lr=0.1)
    view = shown(folder, request, 5)["filter"]
    count, rows, columns = view["shape"]
    gradient = numbers(view["gradient"]).reshape(count, -1)[3]
    summands = numbers(view["positions"]).reshape(rows * columns, -1)
    assert summands.shape[1] == view["size"][0] * view["size"][1]
    np.testing.assert_allclose(summands.sum(axis=1), gradient, rtol=0, atol=1e-6)


def test_the_batch_is_shown_with_its_losses(tmp_path):
    folder = tmp_path / "run"
    request, _ = stepped(folder, optimizer="sgd", lr=0.01)
    view = shown(folder, request, 4, chosen=None)
    assert (view["step"], view["filter"], view["count"]) == (4, None, 64)
    assert "Choose a map" in view["note"]
    pictures = view["pictures"]
    assert len(pictures["labels"]) == len(pictures["losses"]) == 16
    labels = copied_digits().train_labels
    images = copied_digits().train_images
    first = np.frombuffer(b64decode(pictures["pixels"]), np.uint8).reshape(16, *pictures["size"])
    matches = np.flatnonzero((images == first[0]).reshape(len(images), -1).all(axis=1))
    assert pictures["labels"][0] in {int(labels[each]) for each in matches}


def test_a_unit_has_its_weights_and_a_pooling_has_none(tmp_path):
    folder = tmp_path / "run"
    request, _ = stepped(folder, optimizer="sgd", lr=0.01)
    view = shown(folder, request, 3, chosen=(3, 0))["filter"]
    assert view["shape"] == [6 * 7 * 7, 1, 1] and view["positions"] is None
    with pytest.raises(ProbeError, match="no map 9"):
        shown(folder, request, 3, chosen=(2, 9))
    with pytest.raises(ProbeError, match="no input map 9"):
        shown(folder, request, 3, source=9)


def test_a_deleted_checkpoint_is_a_sentence(tmp_path):
    folder = tmp_path / "run"
    request, _ = stepped(folder, optimizer="sgd", lr=0.01)
    (folder / "checkpoint-00000006.safetensors").unlink()
    with pytest.raises(TrainError, match="Choose another saved step"):
        shown(folder, request, 7)


def test_a_batch_that_takes_too_long_is_a_sentence(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    request, _ = stepped(folder, optimizer="sgd", lr=0.01)
    monkeypatch.setattr(batch_replay, "MOST_MACS", 1e6)
    with pytest.raises(ProbeError, match="smaller batch size"):
        shown(folder, request, 3)

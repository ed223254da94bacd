"""Tests of unequal classes: weights in the loss and balanced sampling."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import SPEC, collect_events, of_kind, run_folder, tiny_prepared, tiny_request
from torch.nn.functional import cross_entropy

from cnnlib.data.batches import DeviceData
from cnnlib.data.split import train_validation_split
from cnnlib.nets.model import build_model
from cnnlib.records.events import EpochEnd, RunEnd, StepMetrics
from cnnlib.records.recipe import Augmentation, Recipe
from cnnlib.train.checkpoint import read_weights
from cnnlib.train.class_balance import (
    balanced_order,
    batch_loss,
    class_weights,
    training_order,
)
from cnnlib.train.randomness import epoch_order
from cnnlib.train.saver import saved_files


def unequal_prepared(common: int = 190, rare: int = 10):
    """Two classes of the same noise, which differ by a little brightness of one quarter."""
    rng = np.random.default_rng(3)

    def pictures(counts):
        labels = np.repeat(np.arange(2), counts)
        images = rng.integers(0, 200, (len(labels), 1, 8, 8), dtype=np.uint8)
        images[labels == 1, :, :4, :4] += 40
        return images, labels

    train, test = pictures((common, rare)), pictures((200, 200))
    info = replace(
        tiny_prepared().info,
        classes=("common", "rare"),
        train_count=common + rare,
        test_count=400,
        fingerprint=f"unequal-{common}-{rare}",
        mean=(0.4,),
        std=(0.23,),
    )
    return replace(
        tiny_prepared(),
        info=info,
        train_images=train[0],
        train_labels=train[1],
        test_images=test[0],
        test_labels=test[1],
    )


TWO_CLASSES = replace(SPEC, out_classes=2)


# -- the definitions -------------------------------------------------------------------------------


def test_weights_are_inverse_to_the_class_sizes_with_mean_1_over_the_pictures():
    labels = torch.tensor([0] * 6 + [1] * 2 + [3] * 1)
    weights = class_weights(labels, 4)
    # 9 pictures of 3 classes: 9 / (3 * 6), 9 / (3 * 2), no picture, 9 / (3 * 1)
    assert weights.tolist() == [0.5, 1.5, 0.0, 3.0]
    assert weights[labels].mean() == 1


def test_equal_classes_have_the_weight_1():
    assert class_weights(torch.tensor([0, 1, 0, 1]), 2).tolist() == [1.0, 1.0]


def test_the_weighted_loss_is_the_mean_of_weight_times_loss():
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    labels, weights = torch.tensor([0, 0, 1]), torch.tensor([0.75, 1.5])
    losses = [cross_entropy(logits[i : i + 1], labels[i : i + 1]) for i in range(3)]
    expected = (0.75 * losses[0] + 0.75 * losses[1] + 1.5 * losses[2]) / 3
    assert batch_loss(logits, labels, Recipe(), weights) == pytest.approx(float(expected))


def test_label_smoothing_is_weighted_by_the_class_of_the_picture():
    logits, labels = torch.tensor([[2.0, 0.0]]), torch.tensor([1])
    # The target is (0.1, 0.9) with label_smoothing=0.2; log-softmax of (2, 0) by hand.
    total = np.log(np.exp(2) + 1)
    expected = 3 * -(0.1 * (2 - total) + 0.9 * (0 - total))
    loss = batch_loss(logits, labels, Recipe(label_smoothing=0.2), torch.tensor([1.0, 3.0]))
    assert loss == pytest.approx(expected)


def test_balanced_sampling_draws_all_classes_equally_often():
    labels = torch.tensor([0] * 9_500 + [1] * 500)
    drawn = balanced_order(labels, seed=0, epoch=0)
    assert len(drawn) == 10_000
    # 5,000 are expected; the standard deviation is sqrt(10,000 / 4) = 50.
    assert abs(int((labels[drawn] == 1).sum()) - 5_000) < 250
    # The rare 500 are drawn about ten times each; e**-10 of them, or none, are never drawn.
    assert len(set(drawn[labels[drawn] == 1].tolist())) > 490


def test_balanced_sampling_is_a_function_of_seed_and_epoch():
    labels = torch.tensor([0] * 30 + [1] * 3)
    assert torch.equal(balanced_order(labels, 3, 2), balanced_order(labels, 3, 2))
    assert not torch.equal(balanced_order(labels, 3, 2), balanced_order(labels, 3, 3))
    assert not torch.equal(balanced_order(labels, 3, 2), balanced_order(labels, 4, 2))


@pytest.mark.parametrize("class_balance", ["none", "weights"])
def test_other_recipes_keep_the_order_of_an_epoch(class_balance):
    order = training_order(Recipe(class_balance=class_balance), torch.zeros(50, dtype=int), 3, 2)
    assert torch.equal(order, epoch_order(50, seed=3, epoch=2))


# -- the run ---------------------------------------------------------------------------------------


def test_weighted_steps_are_those_of_a_loop_written_by_hand():
    settings = {"optimizer": "momentum", "lr": 0.1, "epochs": 2, "label_smoothing": 0.1}
    request = tiny_request(TWO_CLASSES, class_balance="weights", **settings)
    prepared = unequal_prepared(70, 20)
    train, validation = train_validation_split(prepared.train_labels, 0.1, split_seed=0)
    data = DeviceData(prepared, train, validation, "cpu")
    counts = np.bincount(prepared.train_labels[train])
    weights = torch.tensor(81 / (2 * counts), dtype=torch.float32)
    net = build_model(TWO_CLASSES, seed=0)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for epoch in range(2):
        for positions in epoch_order(81, seed=0, epoch=epoch).split(24):
            images, labels = data.train_batch(positions)
            each = cross_entropy(net(images), labels, label_smoothing=0.1, reduction="none")
            loss = (each * weights[labels]).sum() / len(labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    events = collect_events(request, prepared)
    assert [e.loss for e in of_kind(events, StepMetrics)] == pytest.approx(losses, rel=1e-4)


def test_validation_and_test_loss_are_not_weighted():
    prepared = unequal_prepared(70, 20)
    ends = [
        collect_events(tiny_request(TWO_CLASSES, lr=0.0, epochs=1, class_balance=name), prepared)
        for name in ("none", "weights", "sampling")
    ]
    # With a learning rate of 0 the weights stay as they are; the running statistics of batch norm
    # are those of the batches, which balanced sampling draws in another way.
    none, weights, _ = ends
    assert of_kind(none, EpochEnd)[0].val_loss == of_kind(weights, EpochEnd)[0].val_loss
    assert of_kind(none, RunEnd)[0].test.loss == of_kind(weights, RunEnd)[0].test.loss
    assert of_kind(none, EpochEnd)[0].train_loss != of_kind(weights, EpochEnd)[0].train_loss


@pytest.mark.parametrize("class_balance", ["weights", "sampling"])
def test_a_balanced_run_resumed_from_each_checkpoint_ends_in_the_same_bits(tmp_path, class_balance):
    request = tiny_request(
        replace(TWO_CLASSES, dropout=0.2),
        class_balance=class_balance,
        label_smoothing=0.1,
        augmentation=Augmentation(shift=1),
    )
    prepared, whole = unequal_prepared(70, 20), run_folder(tmp_path, "whole")
    collect_events(request, prepared, folder=whole)
    last = read_weights(whole / saved_files(whole)[-1].file)
    checkpoints = [each for each in saved_files(whole) if each.what == "checkpoint"]
    assert len(checkpoints) > 1
    for saved in checkpoints:
        folder = run_folder(tmp_path, f"from-{saved.step}")
        collect_events(request, prepared, folder=folder, resume=whole / saved.file)
        again = read_weights(folder / saved_files(folder)[-1].file)
        assert all(torch.equal(again[name], last[name]) for name in last)


@pytest.mark.parametrize("class_balance", ["weights", "sampling"])
def test_the_rare_class_of_95_to_5_is_found_more_often(class_balance):
    prepared = unequal_prepared()
    recall = {}
    for name in ("none", class_balance):
        request = tiny_request(TWO_CLASSES, epochs=6, lr=0.005, class_balance=name)
        [end] = of_kind(collect_events(request, prepared), RunEnd)
        recall[name] = end.test.class_accuracy[1]
    assert recall[class_balance] > recall["none"] + 0.2

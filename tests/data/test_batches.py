"""Batches on the device: their pictures, normalisation and memory format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from cnnlib.data.batches import DeviceData, Normaliser
from cnnlib.data.fingerprint import mean_and_std
from cnnlib.data.prepared import Prepared
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.recipe import Augmentation


def prepared(count: int = 20, test: int = 7, channels: int = 3) -> Prepared:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, channels, 5, 4), dtype=np.uint8)
    mean, std = mean_and_std(images)
    info = DatasetInfo(
        name="folder:noise",
        title="noise",
        in_size=(channels, 5, 4),
        classes=("a", "b", "c"),
        train_count=count,
        test_count=test,
        mean=mean,
        std=std,
    )
    return Prepared(
        info=info,
        train_images=images,
        train_labels=np.arange(count) % 3,
        test_images=images[:test][::-1],
        test_labels=np.arange(test) % 3,
        folder=Path(),
    )


def device_data(
    of: Prepared | None = None, train=range(15), validation=range(15, 20)
) -> DeviceData:
    of = of or prepared()
    return DeviceData(of, np.array(train, dtype=int), np.array(validation, dtype=int), "cpu")


def normalised(of: Prepared, images: np.ndarray) -> np.ndarray:
    """Compute the expected values in float64: scaled to 0..1, then standardised."""
    mean, std = (np.array(values)[:, None, None] for values in (of.info.mean, of.info.std))
    return (images / 255.0 - mean) / std


def test_a_batch_holds_the_pictures_at_its_positions_normalised():
    of = prepared()
    data = device_data(of, train=[3, 5, 7, 9])
    images, labels = data.train_batch(torch.tensor([2, 0]))
    assert images.dtype == torch.float32
    np.testing.assert_allclose(images, normalised(of, of.train_images[[7, 3]]), atol=2e-6)
    assert labels.tolist() == [7 % 3, 3 % 3]


def test_all_training_pictures_together_have_mean_0_and_deviation_1():
    data = device_data(train=range(20), validation=[])
    images, _ = data.train_batch(torch.arange(20))
    assert images.mean((0, 2, 3)).tolist() == pytest.approx([0, 0, 0], abs=1e-6)
    assert images.std((0, 2, 3), correction=0).tolist() == pytest.approx([1, 1, 1], abs=1e-6)


def test_a_channel_that_never_changes_becomes_zero():
    info = DatasetInfo("x", "x", (1, 2, 2), ("a",), mean=(0.2,), std=(0.0,))
    images = torch.full((2, 1, 2, 2), 51, dtype=torch.uint8)  # 51 / 255 = 0.2
    assert Normaliser(info, "cpu")(images).abs().max() < 1e-6


def test_the_last_batch_of_a_split_is_short():
    data = device_data()
    assert [len(labels) for _, labels in data.test_batches(3)] == [3, 3, 1]
    assert [len(labels) for _, labels in data.validation_batches(100)] == [5]


def test_evaluation_keeps_the_order_of_the_split():
    of = prepared()
    data = device_data(of)
    images = torch.cat([images for images, _ in data.validation_batches(2)])
    np.testing.assert_allclose(images, normalised(of, of.train_images[15:]), atol=2e-6)
    labels = torch.cat([labels for _, labels in data.test_batches(2)])
    assert labels.tolist() == [0, 1, 2, 0, 1, 2, 0]


def test_an_empty_split_has_no_batches():
    data = device_data(prepared(test=0), validation=[])
    assert list(data.validation_batches(4)) == list(data.test_batches(4)) == []
    assert (data.validation_count, data.test_count) == (0, 0)


def test_a_batch_is_a_tensor_of_its_own():
    data = device_data()
    first, _ = data.train_batch(torch.arange(3))
    first.zero_()
    next(data.validation_batches(5))[0].zero_()
    assert data.train_batch(torch.arange(3))[0].abs().sum() > 0
    assert next(data.validation_batches(5))[0].abs().sum() > 0


def test_channels_last_has_the_same_values():
    data = device_data()
    plain, _ = data.train_batch(torch.arange(4))
    last, _ = data.train_batch(torch.arange(4), memory_format=torch.channels_last)
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(last, plain)


def test_a_batch_is_augmented_before_it_is_normalised():
    # The cutout covers the picture with the mean colour, which is 0 to within half a grey level.
    data = device_data()
    generator = torch.Generator().manual_seed(0)
    images, _ = data.train_batch(torch.arange(4), Augmentation(cutout=128), generator)
    half_a_level = 0.5 / 255 / min(data.info.std)
    assert images.abs().max() <= half_a_level + 1e-6


def test_the_first_batch_is_not_larger_than_the_training_split():
    images, labels = device_data().first_batch(100)
    assert (len(images), len(labels)) == (15, 15)


def test_the_size_on_the_device_is_counted():
    # 15 + 5 + 7 pictures of 3 x 5 x 4 bytes, each with a label of 8 bytes.
    assert device_data().size_bytes == 27 * (60 + 8)

"""A dataset on the training device: uint8 pictures, normalised per batch."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from cnnlib.data.augment import augment
from cnnlib.records.recipe import Augmentation

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from cnnlib.data.prepared import Prepared
    from cnnlib.records.dataset import DatasetInfo

Batch = tuple[Tensor, Tensor]
_NO_AUGMENTATION = Augmentation()


class Normaliser:
    """Standardise uint8 pictures per channel with the mean and deviation of the training split.

    A constant channel (standard deviation 0) is only shifted to 0.
    """

    def __init__(self, info: DatasetInfo, device: torch.device | str) -> None:
        mean = torch.tensor(info.mean, dtype=torch.float64)
        std = torch.tensor(info.std, dtype=torch.float64)
        scale = 1 / (255 * torch.where(std > 0, std, 1.0))
        self.scale = scale.view(1, -1, 1, 1).to(device, torch.float32)
        self.offset = (-255 * mean * scale).view(1, -1, 1, 1).to(device, torch.float32)
        self.mean_colour = (255 * mean).round().to(device, torch.uint8)

    def __call__(self, images: Tensor) -> Tensor:
        """Normalise pictures: N x C x H x W, uint8 to float32."""
        return images.float().mul_(self.scale).add_(self.offset)


class DeviceData:
    """The train, validation and test pictures of a dataset on one device, as uint8.

    Batches are pairs of pictures (N x C x H x W, float32, normalised) and labels (N, int64), and
    share no memory with the dataset.

    Args:
        train, validation: Indices into the prepared training pictures.
    """

    def __init__(
        self,
        prepared: Prepared,
        train: np.ndarray,
        validation: np.ndarray,
        device: torch.device | str,
    ) -> None:
        self.device = torch.device(device)
        self.info = prepared.info
        self.normalise = Normaliser(prepared.info, self.device)
        self._prepared = prepared
        self._train = self._load(prepared.train_images, prepared.train_labels, train)
        self._validation = self._load(prepared.train_images, prepared.train_labels, validation)

    @property
    def train_count(self) -> int:
        """Number of training pictures."""
        return len(self._train[1])

    @property
    def validation_count(self) -> int:
        """Number of validation pictures."""
        return len(self._validation[1])

    @property
    def test_count(self) -> int:
        """Number of test pictures."""
        return len(self._prepared.test_labels)

    @property
    def size_bytes(self) -> int:
        """Size of all three splits on the device."""
        pictures = self.train_count + self.validation_count + self.test_count
        return pictures * (int(np.prod(self.info.in_size)) + 8)

    def train_batch(
        self,
        positions: Tensor,
        augmentation: Augmentation = _NO_AUGMENTATION,
        generator: torch.Generator | None = None,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> Batch:
        """Return the pictures at ``positions`` of the training split, augmented.

        Args:
            positions: N, int64, 0..train_count-1; fastest on the data's device.
            generator: Of the augmentation; None for no augmentation.
            memory_format: Memory format of the pictures.
        """
        images, labels = self._train
        positions = positions.to(self.device)
        batch = images.index_select(0, positions)
        if generator is not None:
            batch = augment(batch, augmentation, generator, self.normalise.mean_colour)
        return self._finish(batch, memory_format), labels.index_select(0, positions)

    def first_batch(self, batch_size: int) -> Batch:
        """Return the first training pictures without augmentation, to measure modes and latency."""
        return self.train_batch(torch.arange(min(batch_size, self.train_count)))

    def validation_batches(
        self, batch_size: int, memory_format: torch.memory_format = torch.contiguous_format
    ) -> Iterator[Batch]:
        """Iterate over the validation split in its stored order."""
        return self._in_order(self._validation, batch_size, memory_format)

    @property
    def train_labels(self) -> Tensor:
        """The labels of the training split, N, int64."""
        return self._train[1]

    @property
    def validation_labels(self) -> Tensor:
        """The labels of the validation split, N, int64."""
        return self._validation[1]

    def validation_batch(
        self, positions: Tensor, memory_format: torch.memory_format = torch.contiguous_format
    ) -> Batch:
        """Return the pictures at ``positions`` of the validation split."""
        images, labels = self._validation
        positions = positions.to(self.device)
        pictures = self._finish(images.index_select(0, positions), memory_format)
        return pictures, labels.index_select(0, positions)

    def test_batches(
        self, batch_size: int, memory_format: torch.memory_format = torch.contiguous_format
    ) -> Iterator[Batch]:
        """Iterate over the test split in its stored order; it is loaded at the first use."""
        return self._in_order(self._test, batch_size, memory_format)

    @cached_property
    def _test(self) -> Batch:
        images, labels = self._prepared.test_images, self._prepared.test_labels
        return self._load(images, labels, np.arange(len(labels)))

    def _load(self, images: np.ndarray, labels: np.ndarray, indices: np.ndarray) -> Batch:
        def load(values: np.ndarray) -> Tensor:
            return torch.from_numpy(np.ascontiguousarray(values[indices])).to(self.device)

        return load(images), load(labels)

    def _in_order(
        self, split: Batch, batch_size: int, memory_format: torch.memory_format
    ) -> Generator[Batch]:
        for images, labels in zip(
            split[0].split(batch_size), split[1].split(batch_size), strict=True
        ):
            if len(labels):
                yield self._finish(images, memory_format), labels

    def _finish(self, images: Tensor, memory_format: torch.memory_format) -> Tensor:
        return self.normalise(images).contiguous(memory_format=memory_format)

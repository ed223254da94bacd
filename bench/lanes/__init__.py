"""Ways ("lanes") to train the same net on the same pictures, whose speeds are compared.

A lane is an iterator: each ``next`` trains one step and returns the number of pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from cnnlib.data.catalogue import dataset_info

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cnnlib.records.folders import Folders

BATCH_SIZES = {
    "lenet5": 128,
    "conv_maxpool": 64,
    "conv_batchnorm": 64,
    "three_layer": 64,
    "resnet20": 64,
}
LR = 0.01


@dataclass(frozen=True)
class Workload:
    """The training task of a lane.

    Args:
        net: Name of a preset; its input size names the dataset, MNIST or CIFAR-10.
        threads: Processor threads for training.
    """

    net: str
    batch_size: int
    threads: int

    def dataset(self, folders: Folders) -> str:
        """The name of the dataset."""
        return cifar10(folders) if self.net in ("three_layer", "resnet20") else "mnist"


def cifar10(folders: Folders) -> str:
    """The name of CIFAR-10 as published if it is there, else of the zip of JPEG pictures."""
    is_available = dataset_info("cifar10", folders).state != "download"
    return "cifar10" if is_available else "folder:cifar10-jpeg"


def images_per_second(lane: Iterator[int], seconds: float) -> float:
    """Run a lane for some seconds; return its pictures per second."""
    images, elapsed, begin = 0, 0.0, perf_counter()
    while elapsed < seconds:
        images += next(lane)
        elapsed = perf_counter() - begin
    return images / elapsed

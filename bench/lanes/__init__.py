"""Ways to train the same net on the same pictures, each run for a while to see how fast it is.

A lane is an iterator: each ``next`` trains for one step and gives the number of pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter

BATCH_SIZES = {
    "lenet5": 128,
    "conv_maxpool": 64,
    "conv_batchnorm": 64,
    "three_layer": 64,
    "resnet20": 64,
}
LR = 0.01


@dataclass(frozen=True)
class Work:
    """What every lane is given.

    Args:
        net: Name of a preset; its input size names the dataset, MNIST or CIFAR-10.
        threads: Processor threads for training.
    """

    net: str
    batch_size: int
    threads: int

    @property
    def dataset(self) -> str:
        """Where the pictures come from."""
        return "mnist" if self.net not in ("three_layer", "resnet20") else "cifar10"


def images_per_second(lane: Iterator[int], seconds: float) -> float:
    """Run a lane for a while."""
    images, elapsed, begin = 0, 0.0, perf_counter()
    while elapsed < seconds:
        images += next(lane)
        elapsed = perf_counter() - begin
    return images / elapsed

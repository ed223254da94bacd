"""Reproducible random numbers of a run, each derived from the seed and the epoch or step.

The order of an epoch is a function of (seed, epoch); augmentation and dropout of a step are
functions of (seed, step). A run that is resumed, rewound or forked at step k therefore draws
the same numbers as the uninterrupted run from step k on.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch

from cnnlib.records.recipe import Augmentation

Stream = Literal["order", "augmentation", "dropout"]
_STREAM_NUMBER: dict[str, int] = {"order": 1, "augmentation": 2, "dropout": 3}


def derived_seed(seed: int, stream: Stream, index: int) -> int:
    """Return the seed for one epoch or step of one stream, in 0..2**32 - 1.

    ``numpy.random.SeedSequence`` mixes the three numbers, so that neighbouring seeds and steps give
    independent streams. (The initial weights use the run's seed itself: they are those of
    ``build_model(spec, seed=seed)``.)
    """
    entropy = (seed, _STREAM_NUMBER[stream], index)
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def epoch_order(count: int, seed: int, epoch: int) -> torch.Tensor:
    """Return an epoch's order of the training pictures: a permutation, int64, on the CPU."""
    generator = torch.Generator().manual_seed(derived_seed(seed, "order", epoch))
    return torch.randperm(count, generator=generator)


def augmentation_generator(
    augmentation: Augmentation, seed: int, step: int
) -> torch.Generator | None:
    """Return the generator of the augmentation of a step; None for a recipe without one."""
    if augmentation == Augmentation():
        return None
    return torch.Generator().manual_seed(derived_seed(seed, "augmentation", step))


@contextmanager
def deterministic_arithmetic(device: torch.device) -> Generator[None]:
    """Make a device give equal bits for equal inputs; restore the former settings on exit.

    The CPU is deterministic for a fixed number of threads. On CUDA deterministic kernels are
    switched on and TF32, which has 10 mantissa bits instead of 23, is switched off for
    convolutions. MPS has no such switch.
    """
    if device.type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    is_on = torch.are_deterministic_algorithms_enabled()
    only_warns = torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn: Any = torch.backends.cudnn
    deterministic: Any = torch.utils.deterministic
    before = cudnn.benchmark, cudnn.allow_tf32, deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    cudnn.benchmark, cudnn.allow_tf32 = False, False
    deterministic.fill_uninitialized_memory = False  # uninitialised memory is never read
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(is_on, warn_only=only_warns)
        cudnn.benchmark, cudnn.allow_tf32, deterministic.fill_uninitialized_memory = before

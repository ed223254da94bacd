"""A forward pass that keeps what every step gives, residual branches and their sums included.

It runs the net's own modules one after the other, without hooks: several threads may look into one
network at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from cnnlib.probe.graph import INPUT, steps

if TYPE_CHECKING:
    from cnnlib.nets.model import Network

Activate = Callable[[nn.Module, Tensor], Tensor]


def plain_activation(module: nn.Module, x: Tensor) -> Tensor:
    """What the module computes, in memory of its own."""
    return relu(x) if isinstance(module, nn.ReLU) else module(x)


def trace(net: Network, images: Tensor, activate: Activate = plain_activation) -> dict[str, Tensor]:
    """What every step gives, by name, in forward order; the first is ``input``.

    Args:
        net: In evaluation mode.
        images: N x C x H x W, float32, normalised.
        activate: Stands in for activations (guided backprop has its own).

    Returns:
        The last value is N x classes logits, equal to ``net(images)``.
    """
    found = {INPUT: images}
    for step in steps(net.plan):
        values = [found[name] for name in step.inputs]
        if step.leaf is None:
            found[step.name] = values[0] + values[1]
        elif step.kind == "activation":
            found[step.name] = activate(net.get_submodule(step.name), values[0])
        else:
            found[step.name] = net.get_submodule(step.name)(values[0])
    return found


@contextmanager
def evaluating(net: nn.Module) -> Generator[None]:
    """Evaluation mode inside, the former mode after."""
    was_training = net.training
    net.eval()
    try:
        yield
    finally:
        net.train(was_training)


def activations(net: Network, images: np.ndarray) -> dict[str, np.ndarray]:
    """What every step of a network gives for some pictures, as numpy arrays.

    Args:
        images: N x C x H x W, float32, normalised as in training.

    Returns:
        By name in forward order, ``input`` first: N x C x H x W or N x features, float32.

    Example:
        >>> from cnnlib.nets.networks import CNN
        >>> net = CNN((1, 8, 8), 3, [4], 1, [])
        >>> found = activations(net, np.zeros((1, 1, 8, 8), np.float32))
        >>> {name: values.shape for name, values in found.items()}["features.pool1"]
        (1, 4, 3, 3)
    """
    with evaluating(net), torch.inference_mode():
        found = trace(net, torch.from_numpy(np.ascontiguousarray(images)))
        return {name: values.numpy() for name, values in found.items()}

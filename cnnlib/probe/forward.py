"""A forward pass that returns the output of every step, including residual branches and sums.

It calls the network's modules one after the other, without hooks, so that several threads can use
one network at the same time.
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
    """Apply an activation, never in place."""
    return relu(x) if isinstance(module, nn.ReLU) else module(x)


def trace(net: Network, images: Tensor, activate: Activate = plain_activation) -> dict[str, Tensor]:
    """Run a forward pass and return the outputs of all steps.

    Args:
        net: In evaluation mode.
        images: N x C x H x W, float32, normalised.
        activate: Function that applies the activations; guided backprop replaces it.

    Returns:
        Outputs by name in forward order. The first is ``input``, the last the logits, N x classes,
        equal to ``net(images)``.
    """
    outputs = {INPUT: images}
    for step in steps(net.plan):
        values = [outputs[name] for name in step.inputs]
        if step.leaf is None:
            outputs[step.name] = values[0] + values[1]
        elif step.kind == "activation":
            outputs[step.name] = activate(net.get_submodule(step.name), values[0])
        else:
            outputs[step.name] = net.get_submodule(step.name)(values[0])
    return outputs


@contextmanager
def evaluating(net: nn.Module) -> Generator[None]:
    """Set evaluation mode, and restore the former mode at the end."""
    was_training = net.training
    net.eval()
    try:
        yield
    finally:
        net.train(was_training)


def activations(net: Network, images: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the outputs of all steps of a network for some pictures, as numpy arrays.

    Args:
        images: N x C x H x W, float32, normalised as in training.

    Returns:
        Outputs by name in forward order, ``input`` first: N x C x H x W or N x features, float32.

    Example:
        >>> from cnnlib.nets.networks import CNN
        >>> net = CNN((1, 8, 8), 3, [4], 1, [])
        >>> found = activations(net, np.zeros((1, 1, 8, 8), np.float32))
        >>> {name: values.shape for name, values in found.items()}["features.pool1"]
        (1, 4, 3, 3)
    """
    with evaluating(net), torch.inference_mode():
        outputs = trace(net, torch.from_numpy(np.ascontiguousarray(images)))
        return {name: values.numpy() for name, values in outputs.items()}

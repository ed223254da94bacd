"""Forward passes that return the output of every step, with what is derived from them.

A pass calls the network's modules one after the other, without hooks, so that several threads can
use one network at the same time. Derived are dead channels, and the gradients of a picture's loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, relu

from cnnlib.errors import ProbeError
from cnnlib.nets.evaluate import evaluating
from cnnlib.probe.graph import INPUT, steps
from cnnlib.records.probe import Gradients

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


def finite_activations(net: Network, images: np.ndarray) -> dict[str, np.ndarray]:
    """Compute what `activations` does, for views that are wrong if the scores are not numbers.

    Raises:
        ProbeError: A score is NaN or infinite.
    """
    outputs = activations(net, images)
    check_finite(list(outputs.values())[-1])
    return outputs


def check_finite(values: np.ndarray | Tensor, what: str = "The outputs of this network") -> None:
    """Check that nothing is NaN or infinite, as it is in networks of runs that diverged.

    Args:
        what: The values, as the subject of the sentence.

    Raises:
        ProbeError: Something is.
    """
    if not np.isfinite(np.asarray(values)).all():
        raise ProbeError(
            f"{what} are not numbers (NaN or infinite), as after a run that diverged, so nothing "
            "can be computed from them. Choose an earlier saved step, or another run."
        )


_BATCH = 50


def dead_channels(net: Network, images: np.ndarray) -> dict[str, np.ndarray]:
    """Find the channels or features of each step that are constant over all pictures.

    Args:
        images: N x C x H x W, float32, normalised; more pictures make the result more certain.

    Returns:
        Channels, bool, for each step in forward order. After a ReLU the constant is usually 0.

    Raises:
        ProbeError: An output is NaN or infinite.
    """
    lowest: dict[str, torch.Tensor] = {}
    highest: dict[str, torch.Tensor] = {}
    with evaluating(net), torch.inference_mode():
        for part in torch.from_numpy(np.ascontiguousarray(images)).split(_BATCH):
            for name, values in trace(net, part).items():
                flat = values.transpose(0, 1).flatten(1)  # channels x (pictures and positions)
                low, high = flat.min(dim=1).values, flat.max(dim=1).values
                lowest[name] = torch.minimum(lowest.get(name, low), low)
                highest[name] = torch.maximum(highest.get(name, high), high)
    for low, high in zip(lowest.values(), highest.values(), strict=True):
        check_finite(torch.stack((low, high)))
    return {name: (lowest[name] == highest[name]).numpy() for name in lowest if name != INPUT}


def gradients(net: Network, image: np.ndarray, label: int) -> Gradients:
    """Compute the gradients of the cross-entropy for one picture, in evaluation mode.

    The ``grad`` fields of the network are not changed, so several threads can call this.

    Args:
        image: C x H x W, float32, normalised.

    Raises:
        ProbeError: The loss or a gradient is NaN or infinite.
    """
    names = [name for name, _ in net.named_parameters()]
    with evaluating(net), torch.enable_grad():
        outputs = trace(net, torch.from_numpy(image)[None].requires_grad_())
        loss = cross_entropy(list(outputs.values())[-1], torch.tensor([label]))
        check_finite(loss.detach())
        sources = [*net.parameters(), *outputs.values()]
        values = [each.numpy() for each in torch.autograd.grad(loss, sources)]
    for each in values:
        check_finite(each, "The gradients of this network")
    maps = dict(zip(outputs, (each[0] for each in values[len(names) :]), strict=True))
    return Gradients(loss.item(), dict(zip(names, values, strict=False)), maps)

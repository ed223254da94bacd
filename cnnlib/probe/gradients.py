"""Gradients of the loss on one picture with respect to weights and feature maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

from cnnlib.probe.forward import evaluating, trace
from cnnlib.records.probe import Gradients

if TYPE_CHECKING:
    import numpy as np

    from cnnlib.nets.model import Network


def gradients(net: Network, image: np.ndarray, label: int) -> Gradients:
    """Compute the gradients of the cross-entropy for one picture, in evaluation mode.

    The ``grad`` fields of the network are not changed, so several threads can call this.

    Args:
        image: C x H x W, float32, normalised.
    """
    names = [name for name, _ in net.named_parameters()]
    with evaluating(net), torch.enable_grad():
        outputs = trace(net, torch.from_numpy(image)[None].requires_grad_())
        loss = cross_entropy(list(outputs.values())[-1], torch.tensor([label]))
        sources = [*net.parameters(), *outputs.values()]
        values = [each.numpy() for each in torch.autograd.grad(loss, sources)]
    maps = dict(zip(outputs, (each[0] for each in values[len(names) :]), strict=True))
    return Gradients(loss.item(), dict(zip(names, values, strict=False)), maps)

"""Gradients of the loss on one picture, with respect to weights and to feature maps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from cnnlib.nets.model import Network
from cnnlib.probe.forward import evaluating, trace
from cnnlib.records.probe import Gradients, LayerGradient

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def gradients(net: Network, image: np.ndarray, label: int) -> Gradients:
    """The cross-entropy's gradients for one picture, in evaluation mode.

    The network's own ``grad`` fields stay as they are, and so several threads may ask.

    Args:
        image: C x H x W, float32, normalised.
    """
    names = [name for name, _ in net.named_parameters()]
    with evaluating(net), torch.enable_grad():
        found = trace(net, torch.from_numpy(image)[None].requires_grad_())
        loss = cross_entropy(list(found.values())[-1], torch.tensor([label]))
        sources = [*net.parameters(), *found.values()]
        values = [each.numpy() for each in torch.autograd.grad(loss, sources)]
    maps = dict(zip(found, (each[0] for each in values[len(names) :]), strict=True))
    return Gradients(loss.item(), dict(zip(names, values, strict=False)), maps)


def by_layer(found: Gradients, weights: Mapping[str, np.ndarray]) -> list[LayerGradient]:
    """One entry for each layer with a ``weight`` of its own, in forward order."""
    return [
        _of_layer(name.removesuffix(".weight"), gradient, weights[name])
        for name, gradient in found.weights.items()
        if name.endswith(".weight") and gradient.ndim > 1
    ]


def _of_layer(layer: str, gradient: np.ndarray, weight: np.ndarray) -> LayerGradient:
    values = gradient.astype(np.float64)
    return LayerGradient(
        layer=layer,
        weight_norm=float(np.linalg.norm(weight.astype(np.float64))),
        norm=float(np.linalg.norm(values)),
        rms=float(np.sqrt((values**2).mean())),
        quantiles=tuple(float(each) for each in np.quantile(np.abs(values), _QUANTILES)),
    )


def warnings_about(layers: list[LayerGradient]) -> list[str]:
    """A sentence for each sign of vanishing or exploding gradients, with its numbers."""
    if not layers:
        return []
    found = []
    largest = max(layers, key=lambda each: each.rms)
    for each in layers:
        if not np.isfinite(each.rms):
            found.append(f"Exploding: the gradient of {each.layer} is no longer a number.")
        elif each.weight_norm and each.norm > EXPLODING * each.weight_norm:
            found.append(
                f"Exploding: the gradient of {each.layer} is {each.norm:.3g} long, more than "
                f"{EXPLODING:g} times its weights ({each.weight_norm:.3g})."
            )
        elif each.rms < VANISHING * largest.rms:
            found.append(
                f"Vanishing: the gradient of {each.layer} has a typical size of {each.rms:.2g}, "
                f"less than a thousandth of {largest.layer}'s ({largest.rms:.2g})."
            )
    if largest.rms == 0:
        found.append("All gradients are exactly 0: the loss on this picture cannot fall further.")
    return found


VANISHING = 1e-3  # of the largest layer's typical size
EXPLODING = 10.0  # times the length of the weights

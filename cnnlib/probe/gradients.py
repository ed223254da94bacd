"""Gradients of the loss on one picture, with respect to weights and to feature maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from cnnlib.probe.forward import evaluating, trace
from cnnlib.records.probe import Gradients, LayerGradient

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from cnnlib.nets.model import Network

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
    found = [f"{sign}: {text}" for _, sign, text in _signs(layers)]
    if layers and all(each.rms == 0 for each in layers):
        found.append("All gradients are exactly 0: the loss on this picture cannot fall further.")
    return found


def warnings_over_time(moments: Mapping[int, list[LayerGradient]]) -> list[str]:
    """A sentence for each layer and sign: at how many saved steps, and the numbers of the first."""
    first: dict[tuple[str, str], tuple[int, str]] = {}
    counts: dict[tuple[str, str], int] = {}
    for step, layers in moments.items():
        for layer, sign, text in _signs(layers):
            first.setdefault((layer, sign), (step, text))
            counts[layer, sign] = counts.get((layer, sign), 0) + 1
    return [
        f"{sign} at {counts[layer, sign]} of {len(moments)} steps, first at step {step:,}: {text}"
        for (layer, sign), (step, text) in first.items()
    ]


def steps_within(steps: Sequence[int], macs: int, most_macs: int) -> list[int]:
    """As many steps, evenly spread over those there are, as fit; never fewer than three."""
    fit = min(len(steps), max(3, most_macs // max(1, macs)))
    return [steps[place] for place in sorted({*np.linspace(0, len(steps) - 1, fit).astype(int)})]


def _signs(layers: list[LayerGradient]) -> Generator[tuple[str, str, str]]:
    """Layer, "Vanishing" or "Exploding", and the numbers that say so."""
    largest = max(layers, key=lambda each: each.rms, default=None)
    for each in layers:
        if not np.isfinite(each.rms):
            yield each.layer, "Exploding", f"the gradient of {each.layer} is no longer a number."
        elif each.weight_norm and each.norm > EXPLODING * each.weight_norm:
            yield (
                each.layer,
                "Exploding",
                f"the gradient of {each.layer} is {each.norm:.3g} long, more than {EXPLODING:g} "
                f"times its weights ({each.weight_norm:.3g}).",
            )
        elif largest is not None and each.rms < VANISHING * largest.rms:
            yield (
                each.layer,
                "Vanishing",
                f"the gradient of {each.layer} has a typical size of {each.rms:.2g}, less than a "
                f"thousandth of {largest.layer}'s ({largest.rms:.2g}).",
            )


VANISHING = 1e-3  # of the largest layer's typical size
EXPLODING = 10.0  # times the length of the weights

"""Filters of convolutions, silent maps, and the sizes of gradients by layer; numpy only."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnnlib.errors import ProbeError
from cnnlib.probe.graph import step_named, steps
from cnnlib.records.probe import Gradients, LayerGradient
from cnnlib.units import plural

if TYPE_CHECKING:
    from cnnlib.design.plan import Plan
    from cnnlib.probe.weights import Weights

VANISHING = 1e-3  # fraction of the largest root mean square of a layer
EXPLODING = 10.0  # multiple of the norm of the weights
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def by_layer(grads: Gradients, weights: Mapping[str, np.ndarray]) -> list[LayerGradient]:
    """Summarise the gradient of each layer with a ``weight`` of 2 or more dimensions, in order."""
    return [
        _summarise_layer(name.removesuffix(".weight"), gradient, weights[name])
        for name, gradient in grads.weights.items()
        if name.endswith(".weight") and gradient.ndim > 1
    ]


def _summarise_layer(layer: str, gradient: np.ndarray, weight: np.ndarray) -> LayerGradient:
    values = gradient.astype(np.float64)
    return LayerGradient(
        layer=layer,
        weight_norm=float(np.linalg.norm(weight.astype(np.float64))),
        norm=float(np.linalg.norm(values)),
        rms=float(np.sqrt((values**2).mean())),
        quantiles=tuple(float(each) for each in np.quantile(np.abs(values), _QUANTILES)),
    )


def warnings_about(layers: list[LayerGradient]) -> list[str]:
    """Describe vanishing and exploding gradients, one sentence each, with the numbers."""
    sentences = [f"{problem}: {text}" for _, problem, text in _find_problems(layers)]
    if layers and all(each.rms == 0 for each in layers):
        sentences.append(
            "All gradients are exactly 0, so this picture does not change the weights."
        )
    return sentences


def warnings_over_time(gradients_by_step: Mapping[int, list[LayerGradient]]) -> list[str]:
    """Describe each problem of a layer: its number of saved steps, and the numbers of the first."""
    first: dict[tuple[str, str], tuple[int, str]] = {}
    counts: dict[tuple[str, str], int] = {}
    for step, layers in gradients_by_step.items():
        for layer, problem, text in _find_problems(layers):
            first.setdefault((layer, problem), (step, text))
            counts[layer, problem] = counts.get((layer, problem), 0) + 1
    return [
        f"{problem} at {counts[layer, problem]} of {plural(len(gradients_by_step), 'saved step')}, "
        f"first at step {step:,}: {text}"
        for (layer, problem), (step, text) in first.items()
    ]


def steps_within(steps: Sequence[int], macs: int, most_macs: int) -> list[int]:
    """Select evenly spread steps within a budget of MACs, but at least three if there are three."""
    count = min(len(steps), max(3, most_macs // max(1, macs)))
    return [steps[index] for index in sorted({*np.linspace(0, len(steps) - 1, count).astype(int)})]


def _find_problems(layers: list[LayerGradient]) -> Generator[tuple[str, str, str]]:
    """Yield layer, "Vanishing" or "Exploding", and a text with the numbers."""
    largest = max(layers, key=lambda each: each.rms, default=None)
    for each in layers:
        if not np.isfinite(each.rms):
            yield each.layer, "Exploding", f"the gradient of {each.layer} is NaN or infinite."
        elif each.weight_norm and each.norm > EXPLODING * each.weight_norm:
            yield (
                each.layer,
                "Exploding",
                f"the gradient of {each.layer} has a norm of {each.norm:.3g}, more than "
                f"{EXPLODING:g} times the norm of its weights ({each.weight_norm:.3g}).",
            )
        elif largest is not None and each.rms < VANISHING * largest.rms:
            yield (
                each.layer,
                "Vanishing",
                f"the gradient of {each.layer} has a root mean square of {each.rms:.2g}, less than "
                f"1/1000 of the largest, {largest.layer} ({largest.rms:.2g}).",
            )


def convolutions(plan: Plan) -> list[str]:
    """Return the names of all convolutions in forward order."""
    return [step.name for step in steps(plan) if step.kind == "conv2d"]


def filters(plan: Plan, weights: Weights, layer: str) -> np.ndarray:
    """Return the filters of a convolution: out_channels x in_channels x k x k, float32.

    Raises:
        ProbeError: The layer is not a convolution.
    """
    step = step_named(plan, layer)
    if step.kind != "conv2d":
        names = ", ".join(convolutions(plan)) or "none"
        raise ProbeError(
            f"{layer} is not a convolution (its kind is {step.kind}), and only convolutions have "
            f"filters. Choose one of: {names}."
        )
    return weights[f"{step.name}.weight"]


def filter_norms(filters: np.ndarray) -> np.ndarray:
    """Compute the Euclidean norm of each filter: out_channels, float64."""
    return np.sqrt((filters.astype(np.float64) ** 2).sum(axis=(1, 2, 3)))


def largest_weight(plan: Plan, weights: Weights) -> float:
    """Return the largest absolute weight of all convolutions, for a common colour scale."""
    return max((float(np.abs(weights[f"{n}.weight"]).max()) for n in convolutions(plan)), default=0)


def silent_maps(maps: np.ndarray) -> np.ndarray:
    """Find the constant ("silent") maps.

    Args:
        maps: C x H x W; or N x C x H x W, for maps that have one value on all pictures.

    Returns:
        C, bool. A 1 x 1 map of one picture is silent if it is 0.
    """
    stacked = maps.reshape(-1, *maps.shape[-3:])
    if stacked[0, 0].size == 1 and len(stacked) == 1:
        return stacked[0, :, 0, 0] == 0
    return stacked.max(axis=(0, 2, 3)) == stacked.min(axis=(0, 2, 3))

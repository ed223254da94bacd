"""The inputs, weights and output of one channel of a convolution, a pooling or a skip's sum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from cnnlib.design.layers import Conv2d, Pool
from cnnlib.errors import ProbeError
from cnnlib.probe.graph import Step, following, step_named
from cnnlib.records.probe import Arithmetic
from cnnlib.vocabulary.layers import POOLINGS

if TYPE_CHECKING:
    from cnnlib.design.plan import Plan
    from cnnlib.probe.weights import Weights

KINDS = ("conv2d", "pool", "global_avg_pool", "sum")


def arithmetic(
    plan: Plan, weights: Weights, outputs: Mapping[str, np.ndarray], layer: str, channel: int
) -> Arithmetic:
    """Collect the inputs, weights and output of one channel of a layer, for one picture.

    Args:
        outputs: Result of `cnnlib.probe.forward.activations`; its first picture is used.

    Raises:
        ProbeError: The layer is of another kind, or has no such channel.
    """
    step = step_named(plan, layer)
    if step.kind not in KINDS:
        raise ProbeError(
            f"{layer} is of kind {step.kind}, and single values can be computed step by step for "
            "convolutions, poolings and sums of skip connections only. Choose one of those."
        )
    if not 0 <= channel < step.out_shape[0]:
        raise ProbeError(
            f"{layer} has no channel {channel}. Choose one from 0 to {step.out_shape[0] - 1}."
        )
    inputs, names = _inputs(step, outputs, channel)
    kernel, bias = _kernel(step, weights, inputs, channel)
    stride, dilation, (top, left) = _window(step)
    return Arithmetic(
        layer=step.name,
        channel=channel,
        inputs=inputs,
        input_names=names,
        kernel=kernel,
        bias=bias,
        stride=stride,
        padding=top,
        left_padding=left,
        dilation=dilation,
        reduce="max" if isinstance(step.leaf, Pool) and _takes_max(step.leaf) else "sum",
        output=outputs[step.name][0, channel],
        after=tuple((each.name, outputs[each.name][0, channel]) for each in following(plan, layer)),
    )


def _inputs(
    step: Step, outputs: Mapping[str, np.ndarray], channel: int
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the input maps (C x H x W) and their names.

    They are all input maps of a convolution, and one channel of each input of other layers.
    """
    if step.kind == "conv2d":
        maps = outputs[step.inputs[0]][0]
        return maps, tuple(f"{step.inputs[0]}, channel {i}" for i in range(len(maps)))
    maps = np.stack([outputs[name][0, channel] for name in step.inputs])
    return maps, tuple(f"{name}, channel {channel}" for name in step.inputs)


def _kernel(
    step: Step, weights: Weights, inputs: np.ndarray, channel: int
) -> tuple[np.ndarray, float]:
    """Return the kernel (C x kh x kw) and the bias."""
    if isinstance(step.leaf, Conv2d):
        bias = float(weights[f"{step.name}.bias"][channel]) if step.leaf.bias else 0.0
        return weights[f"{step.name}.weight"][channel], bias
    if isinstance(step.leaf, Pool):
        size = step.leaf.kernel_size
        weight = 1.0 if _takes_max(step.leaf) else 1 / size**2
        return np.full((1, size, size), weight), 0.0
    if step.kind == "global_avg_pool":
        return np.full(inputs.shape, 1 / inputs[0].size), 0.0
    return np.ones((2, 1, 1)), 0.0


def _takes_max(pool: Pool) -> bool:
    return POOLINGS[pool.pooling].reduce == "max"


def _window(step: Step) -> tuple[int, int, tuple[int, int]]:
    """Return stride, dilation, and the padding above and on the left."""
    if isinstance(step.leaf, Conv2d):
        return step.leaf.stride, step.leaf.dilation, step.leaf.padding
    if isinstance(step.leaf, Pool):
        return step.leaf.stride, step.leaf.dilation, (step.leaf.padding,) * 2
    return 1, 1, (0, 0)

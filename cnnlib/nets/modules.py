"""One torch module for each kind of layer in a plan."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cnnlib.design.layers import Activation, Conv2d, Leaf, Norm, Pool

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "lrelu": nn.LeakyReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}


def module_of(leaf: Leaf) -> nn.Module:
    """A new module that computes a leaf, initialised as torch does."""
    match leaf.kind:
        case "conv2d":
            return _conv2d(leaf)
        case "norm":
            return _norm(leaf)
        case "activation":
            return _activation(leaf)
        case "pool":
            return _pool(leaf)
        case "dropout":
            return nn.Dropout2d(leaf.p) if leaf.per_channel else nn.Dropout(leaf.p)
        case "global_avg_pool":
            return nn.AdaptiveAvgPool2d(1)
        case "flatten":
            return nn.Flatten()
        case "linear":
            return nn.Linear(leaf.in_features, leaf.out_features)
    raise AssertionError(f"no module is written for {leaf.kind}")


def sequential(named: Iterable[tuple[str, nn.Module]]) -> nn.Sequential:
    """Modules one after the other, under the last part of their layers' names."""
    return nn.Sequential(OrderedDict((name.rpartition(".")[2], module) for name, module in named))


def _conv2d(conv: Conv2d) -> nn.Module:
    return nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        stride=conv.stride,
        padding=conv.padding,
        dilation=conv.dilation,
        bias=conv.bias,
    )


def _norm(norm: Norm) -> nn.Module:
    channels = norm.in_shape[0]
    if norm.norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm.norm == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    return nn.GroupNorm(norm.groups, channels)


def _activation(activation: Activation) -> nn.Module:
    if activation.inplace:
        return nn.ReLU(inplace=True)  # only the ReLU of a skip's sum is planned so
    return _ACTIVATIONS[activation.activation](**dict(activation.options))


def _pool(pool: Pool) -> nn.Module:
    window = (pool.kernel_size, pool.stride, pool.padding)
    if pool.pooling == "avg":
        return nn.AvgPool2d(*window)
    return nn.MaxPool2d(*window, dilation=pool.dilation)

"""Torch modules for the layers of a plan, one for each kind."""

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


def build_module(leaf: Leaf) -> nn.Module:
    """Build the module of a leaf, with torch's default initialisation."""
    match leaf.kind:
        case "conv2d":
            return _build_conv2d(leaf)
        case "norm":
            return _build_norm(leaf)
        case "activation":
            return _build_activation(leaf)
        case "pool":
            return _build_pool(leaf)
        case "dropout":
            return nn.Dropout2d(leaf.p) if leaf.per_channel else nn.Dropout(leaf.p)
        case "global_avg_pool":
            return nn.AdaptiveAvgPool2d(1)
        case "flatten":
            return nn.Flatten()
        case "linear":
            return nn.Linear(leaf.in_features, leaf.out_features)
    raise AssertionError(f"no module is written for {leaf.kind}")


def build_sequential(named: Iterable[tuple[str, nn.Module]]) -> nn.Sequential:
    """Chain modules, each under the last part of its layer's name."""
    return nn.Sequential(OrderedDict((name.rpartition(".")[2], module) for name, module in named))


def _build_conv2d(conv: Conv2d) -> nn.Module:
    return nn.Conv2d(
        conv.in_channels,
        conv.out_channels,
        conv.kernel_size,
        stride=conv.stride,
        padding=conv.padding,
        dilation=conv.dilation,
        bias=conv.bias,
    )


def _build_norm(norm: Norm) -> nn.Module:
    channels = norm.in_shape[0]
    if norm.norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm.norm == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    return nn.GroupNorm(norm.groups, channels)


def _build_activation(activation: Activation) -> nn.Module:
    if activation.inplace:
        return nn.ReLU(inplace=True)  # only the ReLU of a skip's sum is in place
    return _ACTIVATIONS[activation.activation](**dict(activation.options))


def _build_pool(pool: Pool) -> nn.Module:
    window = (pool.kernel_size, pool.stride, pool.padding)
    if pool.pooling == "avg":
        return nn.AvgPool2d(*window)
    return nn.MaxPool2d(*window, dilation=pool.dilation)

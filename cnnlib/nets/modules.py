"""Torch modules for the layers of a plan, one for each kind."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from torch import nn

from cnnlib.vocabulary.layers import ACTIVATIONS, NORMS, POOLINGS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cnnlib.design.layers import Activation, Conv2d, Leaf, Norm, Pool


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
    kind = NORMS[norm.norm]
    sizes = (norm.groups, norm.in_shape[0]) if kind.takes_groups else (norm.in_shape[0],)
    options = {name: value for name, value, _ in kind.options}
    module: nn.Module = getattr(nn, kind.torch_name)(*sizes, **options)
    return module


def _build_activation(activation: Activation) -> nn.Module:
    options: dict[str, Any] = dict(activation.options)
    if activation.inplace:
        options["inplace"] = True
    module: nn.Module = getattr(nn, ACTIVATIONS[activation.activation].torch_name)(**options)
    return module


def _build_pool(pool: Pool) -> nn.Module:
    kind = POOLINGS[pool.pooling]
    options = {"dilation": pool.dilation} if kind.has_dilation else {}
    window = (pool.kernel_size, pool.stride, pool.padding)
    module: nn.Module = getattr(nn, kind.torch_name)(*window, **options)
    return module

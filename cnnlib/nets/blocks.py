"""The modules that `build_model` uses: one for each kind of layer, and the residual blocks."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Self

from torch import Tensor, nn

from cnnlib.design.layers import Activation, AnyLayer, Conv2d, Leaf, Norm, Pool, Residual
from cnnlib.design.plan import plan
from cnnlib.design.spec import MAX_CHANNELS, MAX_CONVOLUTIONS, MAX_KERNEL_SIZE, CNNSpec, checks
from cnnlib.errors import SpecError
from cnnlib.vocabulary.layers import ACTIVATIONS, NORMS, POOLINGS

NOTHING: Mapping[str, Any] = MappingProxyType({})

# Torch's sentence on the copy that it makes; `cnnlib.design.memory` counts the copy.
warnings.filterwarnings("ignore", "Using padding='same' with even kernel lengths")


class PaddedShortcut(nn.Module):
    """Every stride-th pixel, with channels of zeros after the others (option A of He et al. 2016).

    Args:
        in_channels, out_channels: Channels before and after.
        stride: Distance between the pixels that are kept.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.new_channels, self.stride = out_channels - in_channels, stride

    def forward(self, x: Tensor) -> Tensor:
        """N x in_channels x H x W -> N x out_channels x ceil(H / stride) x ceil(W / stride)."""
        kept = x[:, :, :: self.stride, :: self.stride]
        return nn.functional.pad(kept, (0, 0, 0, 0, 0, self.new_channels))


class ResidualBlock(nn.Module):
    """ReLU(main(x) + shortcut(x)), on feature maps of any size.

    The main path is convolutions with bias that keep the size, and between two of them dropout (of
    whole channels), batch norm and activation, in this order; nothing follows the last. The
    shortcut is the identity, or a 1x1 convolution without bias where the channel counts differ.
    (He et al., "Deep residual learning for image recognition", CVPR 2016, section 3.)

    Args:
        channels: Output channels of each convolution on the main path.
        kernel_sizes: One for each of them.
        dropout: Probability that a channel is zeroed.
        activation_type: A name of `cnnlib.vocabulary.layers.ACTIVATIONS`.
        activation_params: Arguments of the activation, under torch's names.

    Raises:
        SpecError: No convolutions, an even kernel, lists of different length, or a wrong value.

    Example:
        >>> import torch
        >>> ResidualBlock(3, [8, 16], [3, 3], batchnorm=True)(torch.zeros(1, 3, 9, 9)).shape
        torch.Size([1, 16, 9, 9])
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        kernel_sizes: Sequence[int],
        batchnorm: bool = False,
        dropout: float = 0.0,
        activation_type: str = "relu",
        activation_params: Mapping[str, Any] = NOTHING,
    ) -> None:
        values: dict[str, Any] = dict(  # noqa: C408  checked by the spec
            in_size=(in_channels, 1, 1),  # the modules of a block do not depend on the map size
            channels=channels,
            pool_every=0,
            kernel_size=kernel_sizes,
            block="residual",
            norm="batch" if batchnorm else "none",
            dropout=dropout,
            activation=activation_type,
            activation_params=activation_params,
        )
        spec = CNNSpec(**values)
        self._build(_first_block(spec))

    @classmethod
    def from_layer(cls, layer: Residual) -> Self:
        """Build the block of a plan's layer, with its norms, stride and biases."""
        block = cls.__new__(cls)
        block._build(layer)
        return block

    def _build(self, layer: Residual) -> None:
        """Create the modules, main path before shortcut."""
        super().__init__()
        self.is_projected = layer.is_projected
        self.before = _build_path(layer.before) if layer.before else None
        self.main, self.shortcut = _build_path(layer.main), _build_path(layer.shortcut)
        self.act = build_module(layer.after[0]) if layer.after else None

    def forward(self, x: Tensor) -> Tensor:
        """N x C x H x W -> N x channels[-1] x H x W (H and W are divided by a stride)."""
        # Not added in place: a hook on the last convolution must see its output (costs < 4 %).
        given = x if self.before is None else self.before(x)
        total = self.main(given) + self.shortcut(given if self.is_projected else x)
        return total if self.act is None else self.act(total)


def _build_path(leaves: Iterable[Leaf]) -> nn.Sequential:
    """Chain the modules of one path of a block."""
    return build_sequential((leaf.name, build_module(leaf)) for leaf in leaves)


class ResidualBottleneckBlock(ResidualBlock):
    """A residual block whose main path narrows: 1x1, the inner convolutions, and 1x1 back.

    Args:
        in_out_channels: Channels of the input, and of the output.
        inner_channels: Output channels of the inner convolutions; the first 1x1 convolution
            goes to ``inner_channels[0]``.
        inner_kernel_sizes: One for each of them.

    The other arguments, and the errors, are those of `ResidualBlock`.
    """

    def __init__(
        self,
        in_out_channels: int,
        inner_channels: Sequence[int],
        inner_kernel_sizes: Sequence[int],
        batchnorm: bool = False,
        dropout: float = 0.0,
        activation_type: str = "relu",
        activation_params: Mapping[str, Any] = NOTHING,
    ) -> None:
        inner = _check_channels("inner_channels", inner_channels)
        kernel_sizes = _check_kernel_sizes("inner_kernel_sizes", inner_kernel_sizes)
        if not inner or len(inner) != len(kernel_sizes):
            raise SpecError(
                f"inner_channels has {len(inner)} entries and inner_kernel_sizes "
                f"{len(kernel_sizes)}, but a bottleneck needs at least one inner convolution, and "
                f"each needs both. Give two lists of equal length, not empty."
            )
        super().__init__(
            in_channels=in_out_channels,
            channels=[inner[0], *inner, in_out_channels],
            kernel_sizes=[1, *kernel_sizes, 1],
            batchnorm=batchnorm,
            dropout=dropout,
            activation_type=activation_type,
            activation_params=activation_params,
        )


_check_channels = checks.sequence(checks.integer(1, MAX_CHANNELS), MAX_CONVOLUTIONS - 2)
_check_kernel_sizes = checks.sequence(checks.integer(1, MAX_KERNEL_SIZE), MAX_CONVOLUTIONS - 2)


def build_layer(layer: AnyLayer) -> nn.Module:
    """Build the module of a leaf or a block."""
    if layer.kind != "residual":
        return build_module(layer)
    block = ResidualBottleneckBlock if layer.block == "bottleneck" else ResidualBlock
    return block.from_layer(layer)


def _first_block(spec: CNNSpec) -> Residual:
    """Return the first layer, a block, of the plan of a spec with one group.

    Raises:
        SpecError: The spec has no convolutions.
    """
    if not spec.channels:
        raise SpecError(
            "channels is empty, but a residual block needs at least one convolution. "
            "Give at least one number of channels."
        )
    block = plan(spec).layers[0]
    assert isinstance(block, Residual)
    return block


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
        case "pad_channels":
            return PaddedShortcut(leaf.in_shape[0], leaf.out_shape[0], leaf.stride)
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
        conv.torch_kernel_size,
        stride=conv.stride,
        padding=conv.torch_padding,
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

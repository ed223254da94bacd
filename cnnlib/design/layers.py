"""The layer records of a plan, with shapes, parameters and multiply-accumulates.

A shape is C x H x W, or one number of features after flattening; it never includes the batch. A
layer's `name` is the path of its torch module (``features.block2.main.conv1``), so that
``model.get_submodule(layer.name)`` returns it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from typing import Literal, cast

from cnnlib.vocabulary.layers import NORMS

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """The base of all layers: a name, and the shapes of one input and one output."""

    name: str
    in_shape: Shape
    out_shape: Shape

    @property
    def params(self) -> int:
        """Number of trainable parameters."""
        return sum(self.param_sizes)

    @property
    def param_sizes(self) -> tuple[int, ...]:
        """Number of values of each trainable tensor, in the order of ``module.parameters()``."""
        return ()

    @property
    def buffers(self) -> int:
        """Number of values stored with the weights but not trained."""
        return 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image, bias not counted."""
        return 0

    def leaves(self) -> Generator[Leaf]:
        """Yield the layer itself, or the layers of a block in forward order."""
        yield cast("Leaf", self)  # `Residual` overrides it


@dataclass(frozen=True, slots=True)
class Conv2d(Layer):
    """A convolution.

    Args:
        kernel_size: Height and width.
        padding: Pixels added above and on the left, and as many below and on the right.
        more_padding: Pixels added below and on the right beyond that: 1 where padding "same" needs
            an odd number in all, because the window covers an even number of pixels.
    """

    kernel_size: tuple[int, int]
    stride: int
    padding: tuple[int, int]
    dilation: int
    bias: bool
    more_padding: tuple[int, int] = (0, 0)
    kind: Literal["conv2d"] = "conv2d"

    @property
    def in_channels(self) -> int:
        return self.in_shape[0]

    @property
    def out_channels(self) -> int:
        return self.out_shape[0]

    @property
    def param_sizes(self) -> tuple[int, ...]:
        weight = self.out_channels * self.in_channels * prod(self.kernel_size)
        return (weight, self.out_channels) if self.bias else (weight,)

    @property
    def macs(self) -> int:
        return prod(self.out_shape) * self.in_channels * prod(self.kernel_size)

    @property
    def torch_kernel_size(self) -> int | tuple[int, int]:
        """The argument of ``nn.Conv2d``."""
        return _one_or_both(self.kernel_size)

    @property
    def torch_padding(self) -> int | tuple[int, int] | str:
        """The argument of ``nn.Conv2d``."""
        return "same" if any(self.more_padding) else _one_or_both(self.padding)


def _one_or_both(sizes: tuple[int, int]) -> int | tuple[int, int]:
    """Return one number where both are equal."""
    return sizes[0] if sizes[0] == sizes[1] else sizes


@dataclass(frozen=True, slots=True)
class Norm(Layer):
    """A normalisation with a scale and a shift per channel.

    Args:
        groups: Groups of channels that share mean and variance: 1 for ``"layer"`` (``GroupNorm(1,
            C)``), the number of channels for ``"batch"`` and ``"instance"``.
    """

    norm: str
    groups: int
    kind: Literal["norm"] = "norm"

    @property
    def param_sizes(self) -> tuple[int, ...]:
        return (self.in_shape[0],) * 2

    @property
    def buffers(self) -> int:
        """Running mean and variance of each channel and a count of batches, where it has them."""
        return 0 if NORMS[self.norm].is_per_image else 2 * self.in_shape[0] + 1


@dataclass(frozen=True, slots=True)
class Activation(Layer):
    """An activation; ``"none"`` gives no layer.

    Args:
        options: Pairs of name and value that differ from torch's defaults.
        inplace: Whether it overwrites its input (the ReLU of a skip's sum does).
    """

    activation: str
    options: tuple[tuple[str, float | str], ...] = ()
    inplace: bool = False
    kind: Literal["activation"] = "activation"


@dataclass(frozen=True, slots=True)
class Pool(Layer):
    """A max or average pooling with a square window."""

    pooling: str
    kernel_size: int
    stride: int
    padding: int
    dilation: int
    kind: Literal["pool"] = "pool"


@dataclass(frozen=True, slots=True)
class Dropout(Layer):
    """Zeroes channels of a C x H x W input (``Dropout2d``), values of a flat one (``Dropout``)."""

    p: float
    kind: Literal["dropout"] = "dropout"

    @property
    def per_channel(self) -> bool:
        """Whether whole channels are zeroed."""
        return len(self.in_shape) == 3


@dataclass(frozen=True, slots=True)
class GlobalAvgPool(Layer):
    """The mean over height and width: C x H x W -> C x 1 x 1."""

    kind: Literal["global_avg_pool"] = "global_avg_pool"


@dataclass(frozen=True, slots=True)
class Flatten(Layer):
    """C x H x W -> C * H * W features, as a view."""

    kind: Literal["flatten"] = "flatten"


@dataclass(frozen=True, slots=True)
class PadChannels(Layer):
    """Every stride-th pixel of each channel, and zeros in place of the channels that are missing.

    It is the shortcut without parameters of He et al., CVPR 2016 (option A).
    """

    stride: int
    kind: Literal["pad_channels"] = "pad_channels"


@dataclass(frozen=True, slots=True)
class Linear(Layer):
    """A fully connected layer with bias."""

    kind: Literal["linear"] = "linear"

    @property
    def in_features(self) -> int:
        return self.in_shape[0]

    @property
    def out_features(self) -> int:
        return self.out_shape[0]

    @property
    def param_sizes(self) -> tuple[int, ...]:
        return (self.macs, self.out_features)

    @property
    def macs(self) -> int:
        return self.in_features * self.out_features


@dataclass(frozen=True, slots=True)
class Residual(Layer):
    """A block with a skip: ``after(main(before(x)) + shortcut(before(x)))``.

    Only a convolution in the shortcut takes ``before(x)``: the identity adds x itself.

    Args:
        before: Norm and activation before both paths (pre-activation), else empty.
        main: The convolutions and the layers between them.
        shortcut: Empty for the identity; else a 1x1 convolution, with or without a norm, or a
            `PadChannels`.
        after: The ReLU of the sum; empty with pre-activation.
        block: ``"bottleneck"`` where the first and last convolutions are 1x1 projections.
    """

    before: tuple[Leaf, ...]
    main: tuple[Leaf, ...]
    shortcut: tuple[Leaf, ...]
    after: tuple[Activation, ...]
    block: str = "residual"
    kind: Literal["residual"] = "residual"

    @property
    def is_projected(self) -> bool:
        """Whether the shortcut is a convolution; it then takes ``before(x)``, else x."""
        return any(leaf.kind == "conv2d" for leaf in self.shortcut)

    @property
    def param_sizes(self) -> tuple[int, ...]:
        return tuple(size for leaf in self.leaves() for size in leaf.param_sizes)

    @property
    def buffers(self) -> int:
        return sum(leaf.buffers for leaf in self.leaves())

    @property
    def macs(self) -> int:
        return sum(leaf.macs for leaf in self.leaves())

    def leaves(self) -> Generator[Leaf]:
        yield from self.before
        yield from self.main
        yield from self.shortcut
        yield from self.after


Leaf = Conv2d | Norm | Activation | Pool | Dropout | GlobalAvgPool | Flatten | PadChannels | Linear
AnyLayer = Leaf | Residual


def training_order(layers: Sequence[AnyLayer]) -> list[AnyLayer]:
    """Return layers in the order in which a training step runs them: a ReLU that stands before a
    max pooling runs after it, on fewer values. Both orders give equal outputs and gradients.
    """
    ordered = list(layers)
    for i, (first, second) in enumerate(pairwise(layers)):
        is_relu = first.kind == "activation" and first.activation == "relu"
        if is_relu and second.kind == "pool" and second.pooling == "max":
            shape = second.out_shape
            ordered[i : i + 2] = [second, replace(first, in_shape=shape, out_shape=shape)]
    return ordered


def gives_view(layer: AnyLayer) -> bool:
    """Return whether torch's output of a layer is a view, which no training step overwrites."""
    return layer.kind == "norm" and NORMS[layer.norm].gives_view

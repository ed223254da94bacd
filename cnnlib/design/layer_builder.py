"""`LayerBuilder`: appends layers one by one and computes the shape after each.

No other module computes shapes; a layer that does not fit raises a `LayerFitError`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from cnnlib.design.layers import (
    Activation,
    AnyLayer,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Linear,
    Norm,
    Pool,
    Shape,
)
from cnnlib.design.shapes import output_size, reach
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import SpecError
from cnnlib.vocabulary.layers import NONE, NORMS, POOLINGS

_CONV_REPAIR_FIELDS = ("padding", "pool_every", "kernel_size", "dilation", "stride", "stem")
_POOL_REPAIR_FIELDS = (
    "pool_every",
    "padding",
    "pool_kernel_size",
    "pool_dilation",
    "stride",
    "stem",
)


class LayerFitError(SpecError):
    """A layer that does not fit its input.

    Args:
        repair_fields: Fields of the spec that can make it fit, the one to try first in front.
    """

    def __init__(self, message: str, *, layer: str, repair_fields: tuple[str, ...]) -> None:
        super().__init__(message, layer=layer)
        self.repair_fields = repair_fields


class Convolution(NamedTuple):
    """The settings of a convolution in a spec, before its input shape is known."""

    channels: int
    kernel_size: int
    stride: int = 1
    padding: int | Literal["same"] = "same"
    dilation: int = 1
    bias: bool = True


class LayerBuilder:
    """Layers in forward order, and the shape after the last of them.

    Args:
        name: Prefix of the layers' names (``"features"``).
        shape: Shape of the first layer's input.
    """

    def __init__(self, spec: CNNSpec, name: str, shape: Shape) -> None:
        self.spec = spec
        self.name = name
        self.shape = shape
        self.layers: list[AnyLayer] = []

    def add(self, layer: AnyLayer) -> None:
        """Append a layer that takes the current shape."""
        self.layers.append(layer)
        self.shape = layer.out_shape

    def conv(self, name: str, requested: Convolution) -> None:
        """Append a convolution."""
        name = f"{self.name}.{name}"
        channels, kernel_size, stride, padding, dilation, bias = requested
        if padding == "same":
            padding = same_padding(name, kernel_size, dilation)
        window = (kernel_size, stride, padding, dilation)
        shape = (channels, *self._output_sides(name, window, _CONV_REPAIR_FIELDS))
        self.add(Conv2d(name, self.shape, shape, *window, bias))

    def pool(self, name: str) -> None:
        """Append the spec's pooling."""
        name, spec = f"{self.name}.{name}", self.spec
        _check_pooling(name, spec, self.shape)
        window = (spec.pool_kernel_size, spec.pool_step, spec.pool_padding, spec.pool_dilation)
        shape = (
            self.shape[0],
            *self._output_sides(name, window, _POOL_REPAIR_FIELDS),
        )
        self.add(Pool(name, self.shape, shape, spec.pooling, *window))

    def norm(self, name: str) -> None:
        """Append the spec's normalisation, if it has one."""
        name, norm = f"{self.name}.{name}", self.spec.norm
        if norm == NONE:
            return
        counts = {"channels": self.shape[0], "one": 1, "design": self.spec.norm_groups}
        groups = counts[NORMS[norm].groups]
        _check_norm(name, norm, groups, self.shape)
        self.add(Norm(name, self.shape, self.shape, norm, groups))

    def activation(self, name: str) -> None:
        """Append the spec's activation, if it has one."""
        kind, options = self.spec.activation, self.spec.activation_params
        if kind != NONE:
            self.add(Activation(f"{self.name}.{name}", self.shape, self.shape, kind, options))

    def dropout(self, name: str, p: float) -> None:
        """Append a dropout, if its probability is not zero."""
        if p:
            self.add(Dropout(f"{self.name}.{name}", self.shape, self.shape, p))

    def global_avg_pool(self, name: str) -> None:
        """Append the mean over height and width."""
        self.add(GlobalAvgPool(f"{self.name}.{name}", self.shape, (self.shape[0], 1, 1)))

    def flatten(self, name: str) -> None:
        """Append the flattening of a map to one row of features."""
        channels, height, width = self.shape
        self.add(Flatten(f"{self.name}.{name}", self.shape, (channels * height * width,)))

    def linear(self, name: str, out_features: int) -> None:
        """Append a fully connected layer."""
        self.add(Linear(f"{self.name}.{name}", self.shape, (out_features,)))

    def _output_sides(
        self, name: str, window: tuple[int, int, int, int], repair_fields: tuple[str, ...]
    ) -> tuple[int, int]:
        """Return height and width after a window, which must fit inside the padded input."""
        _, height, width = self.shape
        sides = (output_size(height, *window), output_size(width, *window))
        if min(sides) < 1:
            kernel_size, _, padding, dilation = window
            raise LayerFitError(
                f"The window of {name} covers {reach(kernel_size, dilation)} pixels (kernel size "
                f"{kernel_size}, dilation {dilation}), but its input has only {height} x {width} "
                f"pixels (padding {padding}). A window must fit inside the padded input. Use a "
                f"smaller window, more padding, or less pooling before this layer.",
                layer=name,
                repair_fields=repair_fields,
            )
        return sides


def same_padding(name: str, kernel_size: int, dilation: int) -> int:
    """Return the padding on each side that keeps the size at stride 1.

    Raises:
        LayerFitError: The window covers an even number of pixels, so no such padding exists.
    """
    around = reach(kernel_size, dilation) - 1
    if around % 2:
        raise LayerFitError(
            f"The window of {name} covers {around + 1} pixels (kernel size {kernel_size}, dilation "
            f'{dilation}), but padding "same" needs an odd number of pixels, so that both sides '
            f"get the same padding. Use kernel size {kernel_size - 1} or {kernel_size + 1}.",
            layer=name,
            repair_fields=("kernel_size", "stem"),
        )
    return around // 2


def _check_pooling(name: str, spec: CNNSpec, shape: Shape) -> None:
    """Check torch's rules for poolings, and one that torch does not check."""
    pooling = POOLINGS[spec.pooling]
    if spec.pool_dilation != 1 and not pooling.has_dilation:
        others = " or ".join(each.label.lower() for each in POOLINGS.values() if each.has_dilation)
        raise LayerFitError(
            f"{name} is an {pooling.label.lower()} with dilation {spec.pool_dilation}, but only "
            f"{others} can be dilated. Use pooling dilation 1, or {others}.",
            layer=name,
            repair_fields=("pool_dilation",),
        )
    most = spec.pool_kernel_size // 2
    if spec.pool_padding > most:
        raise LayerFitError(
            f"{name} has padding {spec.pool_padding}, but the padding of a pooling must be at most "
            f"half of its window of {spec.pool_kernel_size}. Use pooling padding {most} or less.",
            layer=name,
            repair_fields=("pool_padding",),
        )
    # Torch 2.15 then has no index for the maximum, and its backward writes outside the gradient.
    if spec.pool_padding and spec.pool_dilation > min(shape[1:]):
        raise LayerFitError(
            f"{name} has dilation {spec.pool_dilation} and padding {spec.pool_padding} on a "
            f"feature map of only {shape[1]} x {shape[2]} pixels, but each window must contain at "
            f"least one pixel that is not padding. Use pooling dilation 1, or pooling padding 0.",
            layer=name,
            repair_fields=("pool_dilation",),
        )


def _check_norm(name: str, norm: str, groups: int, shape: Shape) -> None:
    """Check that groups divide the channels, and that each mean has more than one value."""
    channels, height, width = shape
    if channels % groups:
        raise LayerFitError(
            f"{name} divides {channels} channels into {groups} groups, but all groups must have "
            f"the same size. Choose a number of groups that divides {channels}.",
            layer=name,
            repair_fields=("norm_groups",),
        )
    if NORMS[norm].is_per_image and channels // groups * height * width == 1:
        raise LayerFitError(
            f"{name} ({NORMS[norm].word}) computes its mean over a single value, because its input "
            f"is a {height} x {width} feature map. A value minus its own mean is always zero, so "
            f"the network cannot be trained. Use batch norm, or pool less so that the map is "
            f"larger.",
            layer=name,
            repair_fields=("pool_every", "norm"),
        )

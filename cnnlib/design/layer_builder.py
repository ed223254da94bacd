"""`LayerBuilder`: appends layers one by one and computes the shape after each.

No other module computes shapes; a layer that does not fit raises a `LayerFitError`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from cnnlib.design.layer_words import layer_in_words, start_with
from cnnlib.design.layers import (
    Activation,
    AnyLayer,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Linear,
    Norm,
    PadChannels,
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
    kernel_size: int | tuple[int, int]
    stride: int = 1
    padding: int | Literal["same"] = "same"
    dilation: int = 1
    bias: bool = True

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of the window."""
        size = self.kernel_size
        return size if isinstance(size, tuple) else (size, size)

    @property
    def size_text(self) -> str:
        """The kernel size in a sentence: ``3`` or ``3 x 1``."""
        height, width = self.sides
        return str(height) if height == width else f"{height} x {width}"


class Window(NamedTuple):
    """A window along one axis of a feature map; `more` pixels are added only at the end."""

    size: int
    stride: int
    padding: int
    dilation: int
    more: int = 0

    def output_size(self, size: int) -> int:
        """Return the number of places of the window; less than 1 where it does not fit."""
        return output_size(size + self.more, self.size, self.stride, self.padding, self.dilation)


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
        channels, _, stride, padding, dilation, bias = requested
        kernel_size = requested.sides
        if padding == "same":
            before, more = same_padding(name, requested)
        else:
            before, more = (padding, padding), (0, 0)
        rows, columns = (
            Window(side, stride, around, dilation, extra)
            for side, around, extra in zip(kernel_size, before, more, strict=True)
        )
        shape = (channels, *self._output_sides(name, rows, columns, _CONV_REPAIR_FIELDS))
        self.add(Conv2d(name, self.shape, shape, kernel_size, stride, before, dilation, bias, more))

    def pool(self, name: str) -> None:
        """Append the spec's pooling."""
        name, spec = f"{self.name}.{name}", self.spec
        _check_pooling(name, spec, self.shape)
        window = Window(
            spec.pool_kernel_size, spec.pool_step, spec.pool_padding, spec.pool_dilation
        )
        sides = self._output_sides(name, window, window, _POOL_REPAIR_FIELDS)
        shape = (self.shape[0], *sides)
        self.add(Pool(name, self.shape, shape, spec.pooling, *window[:4]))

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

    def pad_channels(self, name: str, channels: int, stride: int) -> None:
        """Append every stride-th pixel, with zeros as new channels."""
        given, height, width = self.shape
        name = f"{self.name}.{name}"
        if channels < given:
            block = layer_in_words(name.removesuffix(".shortcut.pad"))
            raise LayerFitError(
                f"The input of {block} has {given} channels and its output only {channels}, but a "
                f"shortcut without parameters can only add channels, of zeros. Use a 1x1 "
                f"convolution as shortcut, or at least {given} channels.",
                layer=name,
                repair_fields=("shortcut",),
            )
        sides = (output_size(height, 1, stride), output_size(width, 1, stride))
        self.add(PadChannels(name, self.shape, (channels, *sides), stride))

    def _other_repairs(self) -> str:
        """Return what else makes a window fit: padding, and the control of what shrinks its input.

        Its label is that of the Build page; a test there compares them.
        """
        if self.shape[1:] == self.spec.in_size[1:] or not self.spec.pool_every:
            return " or more padding"
        if isinstance(self.spec.pool_every, tuple):
            return ', more padding, or fewer entries in "Convolutions of each group"'
        return ', more padding, or a larger "Pool every"'

    def _output_sides(
        self, name: str, rows: Window, columns: Window, repair_fields: tuple[str, ...]
    ) -> tuple[int, int]:
        """Return height and width after a window, which must fit inside the padded input."""
        _, height, width = self.shape
        sides = (rows.output_size(height), columns.output_size(width))
        if min(sides) < 1:
            window = rows if sides[0] < 1 else columns
            covered = reach(window.size, window.dilation)
            raise LayerFitError(
                f"The window of {layer_in_words(name)} covers {covered} pixels (kernel size "
                f"{window.size}, dilation {window.dilation}), but its input has only {height} x "
                f"{width} pixels (padding {window.padding}). A window must fit inside the padded "
                f"input. Use a smaller window{self._other_repairs()}.",
                layer=name,
                repair_fields=repair_fields,
            )
        return sides


def same_padding(name: str, conv: Convolution) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the padding that keeps the size at stride 1: before, and more of it after, by axis.

    Raises:
        LayerFitError: A window covers an even number of pixels, and the stride is not 1.
    """
    around = [reach(side, conv.dilation) - 1 for side in conv.sides]
    if conv.stride > 1 and any(size % 2 for size in around):
        even = next(size + 1 for size in around if size % 2)
        raise LayerFitError(
            f"The window of {layer_in_words(name)} covers {even} pixels (kernel size "
            f"{conv.size_text}, dilation {conv.dilation}), but with stride {conv.stride} padding "
            f'"same" needs an odd number of pixels, so that both sides get the same padding. Use '
            f"an odd kernel size, or stride 1.",
            layer=name,
            repair_fields=("kernel_size", "stem"),
        )
    height, width = around
    return (height // 2, width // 2), (height % 2, width % 2)


def _check_pooling(name: str, spec: CNNSpec, shape: Shape) -> None:
    """Check torch's rules for poolings, and one that torch does not check."""
    pooling = POOLINGS[spec.pooling]
    if spec.pool_dilation != 1 and not pooling.has_dilation:
        others = " or ".join(each.label.lower() for each in POOLINGS.values() if each.has_dilation)
        raise LayerFitError(
            f"The pooling is an {pooling.label.lower()} with dilation {spec.pool_dilation}, but "
            f"only {others} can be dilated. Use pooling dilation 1, or {others}.",
            layer=name,
            repair_fields=("pool_dilation",),
        )
    most = spec.pool_kernel_size // 2
    if spec.pool_padding > most:
        raise LayerFitError(
            f"The pooling has padding {spec.pool_padding}, but the padding of a pooling must be at "
            f"most half of its window of {spec.pool_kernel_size}. Use pooling padding {most} or "
            f"less.",
            layer=name,
            repair_fields=("pool_padding",),
        )
    # Torch 2.15 then has no index for the maximum, and its backward writes outside the gradient.
    if spec.pool_padding and spec.pool_dilation > min(shape[1:]):
        raise LayerFitError(
            f"{start_with(name)} has dilation {spec.pool_dilation} and padding "
            f"{spec.pool_padding} on a feature map of only {shape[1]} x {shape[2]} pixels, but "
            f"each window must contain at least one pixel that is not padding. Use pooling "
            f"dilation 1, or pooling padding 0.",
            layer=name,
            repair_fields=("pool_dilation",),
        )


def _check_norm(name: str, norm: str, groups: int, shape: Shape) -> None:
    """Check that groups divide the channels, and that each mean has more than one value."""
    channels, height, width = shape
    if channels % groups:
        raise LayerFitError(
            f"{start_with(name)} divides {channels} channels into {groups} groups, but all "
            f"groups must have the same size. Choose a number of groups that divides {channels}.",
            layer=name,
            repair_fields=("norm_groups",),
        )
    if NORMS[norm].is_per_image and channels // groups * height * width == 1:
        raise LayerFitError(
            f"{start_with(name)} ({NORMS[norm].word}) computes its mean over a single value, "
            f"because its input is a {height} x {width} feature map. A value minus its own mean is "
            f"always zero, so the network cannot be trained. Use batch norm, or pool less so that "
            f"the map is larger.",
            layer=name,
            repair_fields=("pool_every", "norm"),
        )

"""`LayerBuilder`: one layer after the other, each taking the shape that the one before it gives.

The shape after a layer is worked out here and nowhere else; a layer that does not fit raises a
`Misfit`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, cast

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
from cnnlib.errors import SpecError

if TYPE_CHECKING:
    from cnnlib.design.layers import ActivationKind
    from cnnlib.design.spec import CNNSpec

_CONV_MENDS = ("padding", "pool_every", "kernel_size", "dilation", "stride", "stem")
_POOL_MENDS = ("pool_every", "padding", "pool_kernel_size", "pool_dilation", "stride", "stem")


class Misfit(SpecError):
    """A layer that does not fit.

    Args:
        mend: Fields of the spec that can make it fit, the most natural first.
    """

    def __init__(self, message: str, *, layer: str, mend: tuple[str, ...]) -> None:
        super().__init__(message, layer=layer)
        self.mend = mend


class Convolution(NamedTuple):
    """A convolution as a spec asks for it, before its input is known."""

    channels: int
    kernel_size: int
    stride: int = 1
    padding: int | Literal["same"] = "same"
    dilation: int = 1
    bias: bool = True


class LayerBuilder:
    """Layers in forward order, and the shape after the last of them.

    Args:
        name: What the names of the layers begin with (``"features"``).
        shape: What the first layer takes.
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

    def conv(self, name: str, asked: Convolution) -> None:
        """Append a convolution."""
        name = f"{self.name}.{name}"
        channels, kernel_size, stride, padding, dilation, bias = asked
        if padding == "same":
            padding = same_padding(name, kernel_size, dilation)
        window = (kernel_size, stride, padding, dilation)
        shape = (channels, *self._sides(name, window, mend=_CONV_MENDS))
        self.add(Conv2d(name, self.shape, shape, *window, bias))

    def pool(self, name: str) -> None:
        """Append the spec's pooling."""
        name, spec = f"{self.name}.{name}", self.spec
        _check_pooling(name, spec, self.shape)
        window = (spec.pool_kernel_size, spec.pool_step, spec.pool_padding, spec.pool_dilation)
        shape = (self.shape[0], *self._sides(name, window, mend=_POOL_MENDS))
        self.add(Pool(name, self.shape, shape, spec.pooling, *window))

    def norm(self, name: str) -> None:
        """Append the spec's normalisation, if it has one."""
        name, norm = f"{self.name}.{name}", self.spec.norm
        if norm == "none":
            return
        groups = {"layer": 1, "group": self.spec.norm_groups}.get(norm, self.shape[0])
        _check_norm(name, norm, groups, self.shape)
        self.add(Norm(name, self.shape, self.shape, norm, groups))

    def activation(self, name: str) -> None:
        """Append the spec's activation, if it has one."""
        kind, options = self.spec.activation, self.spec.activation_params
        if kind != "none":
            self.add(
                Activation(
                    f"{self.name}.{name}",
                    self.shape,
                    self.shape,
                    cast("ActivationKind", kind),  # the spec has checked it
                    options,
                )
            )

    def dropout(self, name: str, p: float) -> None:
        """Append a dropout, if its probability is not zero."""
        if p:
            self.add(Dropout(f"{self.name}.{name}", self.shape, self.shape, p))

    def global_avg_pool(self, name: str) -> None:
        """Append the mean over height and width."""
        self.add(GlobalAvgPool(f"{self.name}.{name}", self.shape, (self.shape[0], 1, 1)))

    def flatten(self, name: str) -> None:
        """Append what makes one row of features of a map."""
        channels, height, width = self.shape
        self.add(Flatten(f"{self.name}.{name}", self.shape, (channels * height * width,)))

    def linear(self, name: str, out_features: int) -> None:
        """Append a fully connected layer."""
        self.add(Linear(f"{self.name}.{name}", self.shape, (out_features,)))

    def _sides(
        self, name: str, window: tuple[int, int, int, int], mend: tuple[str, ...]
    ) -> tuple[int, int]:
        """Height and width after a window, which must fit inside the padded input."""
        _, height, width = self.shape
        sides = (output_size(height, *window), output_size(width, *window))
        if min(sides) < 1:
            kernel_size, _, padding, dilation = window
            raise Misfit(
                f"{name} covers {reach(kernel_size, dilation)} pixels (kernel_size={kernel_size}, "
                f"dilation={dilation}), but its input is only {height} x {width} pixels "
                f"(padding={padding}), and a window must fit inside its padded input. "
                f"Use a smaller kernel, more padding, or less pooling before it.",
                layer=name,
                mend=mend,
            )
        return sides


def same_padding(name: str, kernel_size: int, dilation: int) -> int:
    """The padding on each side that keeps the size at stride 1.

    Raises:
        Misfit: The window covers an even number of pixels, so no such padding exists.
    """
    around = reach(kernel_size, dilation) - 1
    if around % 2:
        raise Misfit(
            f"{name} covers {around + 1} pixels (kernel_size={kernel_size}, dilation={dilation}), "
            f"but keeping the size needs the same padding on both sides, and so an odd number. "
            f"Use kernel_size={kernel_size - 1} or {kernel_size + 1}.",
            layer=name,
            mend=("kernel_size", "stem"),
        )
    return around // 2


def _check_pooling(name: str, spec: CNNSpec, shape: Shape) -> None:
    """Torch's rules for poolings, and one that it does not check."""
    if spec.pooling == "avg" and spec.pool_dilation != 1:
        raise Misfit(
            f"{name} is an average pooling with dilation={spec.pool_dilation}, "
            f"but only max pooling can be dilated. Use pool_dilation=1 or max pooling.",
            layer=name,
            mend=("pool_dilation",),
        )
    most = spec.pool_kernel_size // 2
    if spec.pool_padding > most:
        raise Misfit(
            f"{name} has padding={spec.pool_padding}, but a pooling takes at most half of its "
            f"kernel_size={spec.pool_kernel_size}. Use pool_padding={most} or less.",
            layer=name,
            mend=("pool_padding",),
        )
    # Torch 2.15 then has no index for the maximum, and its backward writes outside the gradient.
    if spec.pool_padding and spec.pool_dilation > min(shape[1:]):
        raise Misfit(
            f"{name} has dilation={spec.pool_dilation} and padding={spec.pool_padding} on a map of "
            f"only {shape[1]} x {shape[2]} pixels, but a window must hold at least one pixel that "
            f"is not padding. Use pool_dilation=1 or pool_padding=0.",
            layer=name,
            mend=("pool_dilation",),
        )


def _check_norm(name: str, norm: str, groups: int, shape: Shape) -> None:
    """Groups must divide the channels, and a mean needs more than one value."""
    channels, height, width = shape
    if channels % groups:
        raise Misfit(
            f"{name} makes {groups} groups of {channels} channels, but groups must be equal. "
            f"Use a norm_groups that divides {channels}.",
            layer=name,
            mend=("norm_groups",),
        )
    if norm != "batch" and channels // groups * height * width == 1:
        raise Misfit(
            f"{name} takes its mean over a single value (a {height} x {width} map, {norm} norm), "
            f"but a value minus its own mean is always zero, and torch refuses to train it. "
            f"Use batch norm, or pool less so that the map stays larger.",
            layer=name,
            mend=("pool_every", "norm"),
        )

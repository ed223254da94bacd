"""A layer of a plan as the source text of a torch module: ``nn.Conv2d(1, 6, 3, padding=1)``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cnnlib.design.layers import Activation, Conv2d, Dropout, Leaf, Linear, Norm, Pool
from cnnlib.vocabulary.layers import ACTIVATIONS, NORMS, POOLINGS

if TYPE_CHECKING:
    from collections.abc import Iterable


class Argument(NamedTuple):
    """One argument of a torch module.

    Args:
        kind: Torch's name; ``channels`` and ``features`` without ``in_`` and ``out_``.
        default: Torch's default; None for an argument that is always passed by position.
    """

    kind: str
    value: Any
    default: Any = None

    @property
    def is_positional(self) -> bool:
        """Whether it is written without its name."""
        return self.default is None


class ModuleCall(NamedTuple):
    """A torch module and its arguments."""

    module: str
    arguments: tuple[Argument, ...] = ()

    def text(self, values: Iterable[str] | None = None) -> str:
        """Write the call as Python.

        Args:
            values: Expressions to write in place of the arguments' values.
        """
        texts = values or [repr(argument.value) for argument in self.arguments]
        written = [
            text if argument.is_positional else f"{argument.kind}={text}"
            for argument, text in zip(self.arguments, texts, strict=True)
            if text != repr(argument.default)
        ]
        return f"nn.{self.module}({', '.join(written)})"


def module_call(layer: Leaf) -> ModuleCall:
    """Return the torch module that computes a layer."""
    match layer:
        case Conv2d():
            return ModuleCall("Conv2d", _conv_arguments(layer))
        case Linear():
            sizes = (layer.in_features, layer.out_features)
            return ModuleCall("Linear", tuple(Argument("features", size) for size in sizes))
        case Pool():
            return ModuleCall(POOLINGS[layer.pooling].torch_name, _pool_arguments(layer))
        case Norm():
            return _norm_call(layer)
        case Activation():
            options = tuple(Argument(name, value, "") for name, value in layer.options)
            return ModuleCall(ACTIVATIONS[layer.activation].torch_name, options)
        case Dropout():
            name = "Dropout2d" if layer.per_channel else "Dropout"
            return ModuleCall(name, (Argument("p", layer.p),))
    if layer.kind == "global_avg_pool":
        return ModuleCall("AdaptiveAvgPool2d", (Argument("output_size", 1),))
    return ModuleCall("Flatten")


def _conv_arguments(layer: Conv2d) -> tuple[Argument, ...]:
    """Return the arguments of ``nn.Conv2d``."""
    return (
        Argument("channels", layer.in_channels),
        Argument("channels", layer.out_channels),
        Argument("kernel_size", layer.kernel_size),
        Argument("stride", layer.stride, 1),
        Argument("padding", layer.padding, 0),
        Argument("dilation", layer.dilation, 1),
        Argument("bias", layer.bias, True),
    )


def _pool_arguments(layer: Pool) -> tuple[Argument, ...]:
    """Return the arguments of a pooling module."""
    return (
        Argument("kernel_size", layer.kernel_size),
        Argument("stride", layer.stride, layer.kernel_size),
        Argument("padding", layer.padding, 0),
        Argument("dilation", layer.dilation, 1),
    )


def _norm_call(layer: Norm) -> ModuleCall:
    """Return the module of a normalisation."""
    kind = NORMS[layer.norm]
    groups = (Argument("groups", layer.groups),) if kind.takes_groups else ()
    options = (Argument(*option) for option in kind.options)
    channels = Argument("channels", layer.in_shape[0])
    return ModuleCall(kind.torch_name, (*groups, channels, *options))

"""Layers as the source text of torch modules, and templates for those that are repeated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from cnnlib.design.layers import Activation, Conv2d, Dropout, Leaf, Linear, Norm, PadChannels, Pool
from cnnlib.vocabulary.layers import ACTIVATIONS, NORMS, POOLINGS

PADDED_SHORTCUT = "PaddedShortcut"


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
    """A module and its arguments; one of torch, or one that the file defines."""

    module: str
    arguments: tuple[Argument, ...] = ()
    is_torch: bool = True

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
        return f"{'nn.' if self.is_torch else ''}{self.module}({', '.join(written)})"


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
        case PadChannels():
            sizes = (layer.in_shape[0], layer.out_shape[0])
            arguments = (*(Argument("channels", size) for size in sizes),)
            stride = Argument("stride", layer.stride, 1)
            return ModuleCall(PADDED_SHORTCUT, (*arguments, stride), is_torch=False)
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
        Argument("kernel_size", layer.torch_kernel_size),
        Argument("stride", layer.stride, 1),
        Argument("padding", layer.torch_padding, 0),
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


class Parameter(NamedTuple):
    """A parameter of the template.

    Args:
        values: One for each use.
        default: Value for a use that does not pass it; None: every use passes it.
    """

    name: str
    kind: str
    values: tuple[Any, ...]
    default: Any = None

    @property
    def is_positional(self) -> bool:
        """Whether a use passes its value by position."""
        return self.kind in ("channels", "features")

    def argument(self, use: int) -> str | None:
        """Return the argument text of one use; None where its value is the default."""
        value = self.values[use]
        if self.is_positional:
            return repr(value)
        return None if value == self.default else f"{self.name}={value!r}"


class Template:
    """The text of repeated layers; collects parameters while `text` writes the layers.

    Args:
        parameters: The first parameters, whether their values differ or not.
    """

    def __init__(self, *parameters: Parameter) -> None:
        self.parameters = list(parameters)

    def text(self, layer_of_each_use: Sequence[Leaf]) -> str:
        """Write the layers at one position of all uses as one call of a torch module."""
        calls = [module_call(layer) for layer in layer_of_each_use]
        columns = zip(*(call.arguments for call in calls), strict=True)
        return calls[0].text([self._expression(column) for column in columns])

    def signature(self) -> str:
        """Write the parameter list of the ``def``."""
        return ", ".join(
            parameter.name
            if parameter.default is None
            else f"{parameter.name}={parameter.default!r}"
            for parameter in self._ordered()
        )

    def arguments(self, use: int) -> str:
        """Write the arguments of one use."""
        texts = (parameter.argument(use) for parameter in self._ordered())
        return ", ".join(text for text in texts if text is not None)

    def name(self, kind: str, values: tuple[Any, ...]) -> str | None:
        """Return the name of the parameter with these values; None where there is none."""
        same = (p.name for p in self.parameters if (p.kind, p.values) == (kind, values))
        return next(same, None)

    def _expression(self, column: tuple[Argument, ...]) -> str:
        """Write one argument of a torch module: a parameter, or the value that all uses share."""
        kind, values = column[0].kind, tuple(argument.value for argument in column)
        name = self.name(kind, values)
        if name is None and len(set(values)) > 1:
            name = self._new_name(kind)
            default = column[0].default if column[0].default in values else None
            self.parameters.append(Parameter(name, kind, values, default))
        return name or repr(values[0])

    def _new_name(self, kind: str) -> str:
        """Return the kind, with a number where that name is taken."""
        of_kind = sum(parameter.kind == kind for parameter in self.parameters)
        return f"{kind}{of_kind + 1}" if of_kind else kind

    def _ordered(self) -> list[Parameter]:
        """Return the parameters, those without a default first."""
        return sorted(self.parameters, key=lambda p: (not p.is_positional, p.default is not None))

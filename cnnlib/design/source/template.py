"""Source text for repeated layers: written once, with parameters for the values that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cnnlib.design.source.module_code import Argument, module_call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.design.layers import Leaf


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

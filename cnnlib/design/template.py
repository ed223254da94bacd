"""Runs of layers of one form, written once: what differs between them becomes an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cnnlib.design.module_code import Argument, module_call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.design.layers import Leaf


class Parameter(NamedTuple):
    """An argument of the template.

    Args:
        values: One for each use.
        default: What a use that does not give it takes; None: every use gives it.
    """

    name: str
    kind: str
    values: tuple[Any, ...]
    default: Any = None

    @property
    def is_positional(self) -> bool:
        """A use writes its value without its name."""
        return self.kind in ("channels", "features")

    def given(self, use: int) -> str | None:
        """What one use writes for it; None where the default will do."""
        value = self.values[use]
        if self.is_positional:
            return repr(value)
        return None if value == self.default else f"{self.name}={value!r}"


class Template:
    """Collects the parameters while the layers are written.

    Args:
        parameters: Those that stand first, whether their values differ or not.
    """

    def __init__(self, *parameters: Parameter) -> None:
        self.parameters = list(parameters)

    def text(self, layer_of_each_use: Sequence[Leaf]) -> str:
        """The layers at one place of all uses, as one call of a torch module."""
        calls = [module_call(layer) for layer in layer_of_each_use]
        columns = zip(*(call.arguments for call in calls), strict=True)
        return calls[0].text([self._expression(column) for column in columns])

    def signature(self) -> str:
        """The parameters as a ``def`` lists them."""
        return ", ".join(
            parameter.name
            if parameter.default is None
            else f"{parameter.name}={parameter.default!r}"
            for parameter in self._ordered()
        )

    def arguments(self, use: int) -> str:
        """What one use passes."""
        given = (parameter.given(use) for parameter in self._ordered())
        return ", ".join(text for text in given if text is not None)

    def name(self, kind: str, values: tuple[Any, ...]) -> str | None:
        """The parameter that has these values; None where there is none."""
        same = (p.name for p in self.parameters if (p.kind, p.values) == (kind, values))
        return next(same, None)

    def _expression(self, column: tuple[Argument, ...]) -> str:
        """One argument of a torch module: a parameter, or the value that all uses share."""
        kind, values = column[0].kind, tuple(argument.value for argument in column)
        known = self.name(kind, values)
        if known is None and len(set(values)) > 1:
            known = self._new_name(kind)
            default = column[0].default if column[0].default in values else None
            self.parameters.append(Parameter(known, kind, values, default))
        return known or repr(values[0])

    def _new_name(self, kind: str) -> str:
        """The kind, numbered where it is taken."""
        of_kind = sum(parameter.kind == kind for parameter in self.parameters)
        return f"{kind}{of_kind + 1}" if of_kind else kind

    def _ordered(self) -> list[Parameter]:
        """Those that every use gives come first."""
        return sorted(self.parameters, key=lambda p: (not p.is_positional, p.default is not None))

"""A control of the Build page: its texts, and how it reads and writes a spec. No streamlit.

A control never builds a spec from scratch. It changes the current one, so that fields without a
control (a stem, kernel sizes one by one) keep their values. For every control and every spec,
``write(spec, read(spec)) == spec``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from cnnlib.design.field_labels import FIELD_LABELS
from cnnlib.design.spec import CNNSpec

Kind = Literal["choice", "menu", "slider", "number", "text", "toggle"]


def _always(_spec: CNNSpec) -> bool:
    return True


class Range(NamedTuple):
    """The ends of a slider or a number; `highest` is the end for a value above `high`."""

    low: float
    high: float
    highest: float = 0
    step: float = 1


_NO_RANGE = Range(0, 0)


@dataclass(frozen=True)
class Control:
    """One control.

    Args:
        help: One sentence for beginners about its effect.
        read: Returns the value to show for a spec; None where none of its options fits.
        write: Returns the spec changed to a value; may raise SpecError.
        options: Values of a choice or a menu, with their labels.
        range: Of a slider or a number.
        shown: Whether the control applies to a spec.
        enabled: Whether the control can change a spec.
    """

    name: str
    label: str
    kind: Kind
    help: str
    read: Callable[[CNNSpec], Any]
    write: Callable[[CNNSpec, Any], CNNSpec]
    options: Mapping[Any, str] = field(default_factory=dict)
    range: Range = _NO_RANGE
    shown: Callable[[CNNSpec], bool] = _always
    enabled: Callable[[CNNSpec], bool] = _always


def field_control(name: str, kind: Kind, help: str, **changed: Any) -> Control:
    """Build the control of the field of a spec with its name and its label.

    Writing None, an unselected choice, changes nothing.

    Args:
        changed: Other arguments of `Control`, `read` and `write` among them where they differ.
    """

    def write(spec: CNNSpec, value: Any) -> CNNSpec:
        return spec if value is None else replace(spec, **{name: value})

    access = {"read": lambda spec: getattr(spec, name), "write": write}
    return Control(name, FIELD_LABELS[name], kind, help, **{**access, **changed})


def has_convolutions(spec: CNNSpec) -> bool:
    """Whether a spec has convolutions: it is no multilayer perceptron."""
    return bool(spec.channels)


def has_skips(spec: CNNSpec) -> bool:
    """Whether the convolutions of a spec are in residual blocks."""
    return spec.block != "plain" and bool(spec.channels)


def has_norm(spec: CNNSpec) -> bool:
    """Whether a spec has norms between its convolutions."""
    return spec.norm != "none" and bool(spec.channels)


def has_pools(spec: CNNSpec) -> bool:
    """Whether the image shrinks after each group of a spec."""
    return bool(spec.channels) and bool(spec.pool_every)

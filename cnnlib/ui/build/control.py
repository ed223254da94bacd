"""What a control of the Build page is: its words, and how it reads and writes a spec.

A control never builds a spec from scratch. It changes the one there is, so that what no control
shows (a stem, kernel sizes one by one) stays as it was. For every control and every spec,
``write(spec, read(spec)) == spec``. No streamlit here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cnnlib.design.spec import CNNSpec

Kind = Literal["choice", "menu", "slider", "number", "text", "toggle"]


def _always(_spec: CNNSpec) -> bool:
    return True


@dataclass(frozen=True)
class Control:
    """One control.

    Args:
        help: What it does, in one sentence that a beginner understands.
        read: The value that it shows for a spec; None where none of its options fits.
        write: The spec that a value makes of a spec; may raise SpecError.
        options: Values of a choice or a menu, with their words.
        low, high, step: Of a slider or a number.
        highest: What the slider reaches to where the value is above `high`.
        shown: Whether it makes sense for a spec.
        enabled: Whether it would change anything.
    """

    name: str
    label: str
    kind: Kind
    help: str
    read: Callable[[CNNSpec], Any]
    write: Callable[[CNNSpec, Any], CNNSpec]
    options: Mapping[Any, str] = field(default_factory=dict)
    low: float = 0
    high: float = 1
    step: float = 1
    highest: float = 0
    shown: Callable[[CNNSpec], bool] = _always
    enabled: Callable[[CNNSpec], bool] = _always


class FieldAccess(TypedDict):
    """How a control reads and writes a spec."""

    read: Callable[[CNNSpec], Any]
    write: Callable[[CNNSpec, Any], CNNSpec]


def of_field(name: str) -> FieldAccess:
    """How a control reads and writes one field; an unselected choice changes nothing."""

    def write(spec: CNNSpec, value: Any) -> CNNSpec:
        return spec if value is None else replace(spec, **{name: value})

    return {"read": lambda spec: getattr(spec, name), "write": write}


def has_convolutions(spec: CNNSpec) -> bool:
    """Whether it is more than a multilayer perceptron."""
    return bool(spec.channels)


def has_skips(spec: CNNSpec) -> bool:
    """Whether its convolutions are residual blocks."""
    return spec.block != "plain" and bool(spec.channels)


def has_norm(spec: CNNSpec) -> bool:
    """Whether there is a norm between its convolutions."""
    return spec.norm != "none" and bool(spec.channels)


def has_pools(spec: CNNSpec) -> bool:
    """Whether its image shrinks after groups."""
    return bool(spec.channels) and spec.pool_every > 0

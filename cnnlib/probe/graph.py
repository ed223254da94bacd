"""The steps of a network in forward order, with what each one takes; residual blocks are opened.

Names are those of the plan. Two are added: ``input``, and ``<block>.sum`` for the sum of a skip
before its ReLU. No torch here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnlib.design.layers import AnyLayer, Leaf, Residual, Shape
from cnnlib.errors import ProbeError

if TYPE_CHECKING:
    from collections.abc import Generator

    from cnnlib.design.plan import Plan

INPUT = "input"
SUM = "sum"


@dataclass(frozen=True)
class Step:
    """One step of the forward pass.

    Args:
        leaf: The layer that computes it; None for the sum of a skip.
        inputs: Names of the steps whose outputs it takes: one, or two for a sum.
        out_shape: C x H x W, or one number of features.
    """

    name: str
    leaf: Leaf | None
    inputs: tuple[str, ...]
    out_shape: Shape

    @property
    def kind(self) -> str:
        """The kind of the layer, or "sum"."""
        return SUM if self.leaf is None else self.leaf.kind


def steps(plan: Plan) -> list[Step]:
    """All steps of a network in forward order, without its input."""
    found: list[Step] = []
    last = INPUT
    for layer in plan.layers:
        found += _steps_of(layer, last)
        last = found[-1].name
    return found


def step_named(plan: Plan, name: str) -> Step:
    """The step of that name; the name of a block stands for its output.

    Raises:
        ProbeError: There is none.
    """
    known = {step.name: step for step in steps(plan)}
    for layer in plan.layers:
        if isinstance(layer, Residual):
            known[layer.name] = known[layer.activation.name]
    if name not in known:
        raise ProbeError(
            f"The network has no layer {name[:60]!r}. Its layers are: {', '.join(known)}."
        )
    return known[name]


def following(plan: Plan, name: str) -> list[Step]:
    """The norms and activations that come at once after a step, and keep every value's place."""
    found: list[Step] = []
    last = name
    for step in steps(plan):
        if step.inputs == (last,) and step.kind in ("norm", "activation"):
            found.append(step)
            last = step.name
    return found


def _steps_of(layer: AnyLayer, before: str) -> Generator[Step]:
    if not isinstance(layer, Residual):
        yield Step(layer.name, layer, (before,), layer.out_shape)
        return
    ends = []
    for path in (layer.main, layer.shortcut):
        last = before
        for leaf in path:
            yield Step(leaf.name, leaf, (last,), leaf.out_shape)
            last = leaf.name
        ends.append(last)
    total = f"{layer.name}.{SUM}"
    yield Step(total, None, tuple(ends), layer.out_shape)
    yield Step(layer.activation.name, layer.activation, (total,), layer.out_shape)

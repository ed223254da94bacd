"""The computation graph of a network: its steps in forward order, with their inputs; without torch.

The layers of residual blocks are separate steps. Names are those of the plan, and two more:
``input``, and ``<block>.sum`` for the sum of a skip before its ReLU.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from cnnlib.design.layers import AnyLayer, Leaf, Residual, Shape
from cnnlib.design.plan import Plan
from cnnlib.errors import ProbeError

INPUT = "input"
SUM = "sum"


@dataclass(frozen=True)
class Step:
    """One step of the forward pass.

    Args:
        leaf: The step's layer; None for the sum of a skip.
        inputs: Names of the steps before it: one, or two for a sum.
        out_shape: C x H x W, or the number of features.
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
    """Return all steps of a network in forward order, without its input."""
    result: list[Step] = []
    last = INPUT
    for layer in plan.layers:
        result += _steps_of(layer, last)
        last = result[-1].name
    return result


def step_named(plan: Plan, name: str) -> Step:
    """Return the step with this name; the name of a block stands for its output.

    Raises:
        ProbeError: There is none.
    """
    by_name = {step.name: step for step in steps(plan)}
    for layer in plan.layers:
        if isinstance(layer, Residual):
            by_name[layer.name] = by_name[layer.activation.name]
    if name not in by_name:
        raise ProbeError(
            f"The network has no layer {name[:60]!r}. Its layers are: {', '.join(by_name)}."
        )
    return by_name[name]


def following(plan: Plan, name: str) -> list[Step]:
    """Return the norms and activations directly after a step, which are elementwise."""
    result: list[Step] = []
    last = name
    for step in steps(plan):
        if step.inputs == (last,) and step.kind in ("norm", "activation"):
            result.append(step)
            last = step.name
    return result


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

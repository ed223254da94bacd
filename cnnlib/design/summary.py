"""A design as a Markdown page: what it is, what it costs, layer by layer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cnnlib.design.cost import Cost, LayerCost, cost
from cnnlib.design.module_code import module_call
from cnnlib.design.other_tools import tool_counts
from cnnlib.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cnnlib.design.plan import Plan


def summary(plan: Plan, title: str = "", *, batch_size: int = 128, optimizer: str = "sgd") -> str:
    """The text of a Markdown page.

    Args:
        title: Its heading.
        batch_size: Pictures in a training step, for memory and FLOPs of a step.
        optimizer: What trains it, for the memory that it keeps.

    Raises:
        SpecError: A batch of less than one picture, or an optimiser that the lab does not know.
    """
    costs = cost(plan, batch_size=batch_size, optimizer=optimizer)
    heading = re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", " ".join(title.split())) or "A network"
    parts = [
        f"# {heading}",
        _table(("quantity", "value"), _facts(plan, costs)),
        "## Layers",
        _table(
            ("layer", "module", "output", "parameters", "MACs", "receptive field"),
            map(_layer, costs.layers),
        ),
        "## What other tools print",
        _table(("tool", "quantity", "total", "not counted"), _tools(plan)),
    ]
    return "\n\n".join(parts) + "\n"


def _facts(plan: Plan, costs: Cost) -> list[tuple[str, str]]:
    """What the whole network is and costs."""
    step = f"a training step of {costs.batch_size} pictures, {costs.optimizer}"
    return [
        ("input", _shape(plan.spec.in_size)),
        ("classes", f"{plan.spec.out_classes:,}"),
        ("trainable parameters", f"{costs.params:,}"),
        ("multiply-accumulates (MACs), one picture", f"{costs.macs:,}"),
        ("FLOPs forward, one picture", f"{costs.flops:,}"),
        (f"FLOPs of {step}", f"{costs.training_step_flops:,}"),
        ("memory of the weights", format_size(costs.weight_bytes)),
        (f"memory of {step}", format_size(costs.training_bytes)),
        ("receptive field", f"{costs.receptive_field} x {costs.receptive_field} pixels"),
    ]


def _layer(row: LayerCost) -> tuple[str, ...]:
    """One line of the table of layers."""
    return (
        f"`{row.layer.name}`",
        f"`{module_call(row.layer).text()}`",
        _shape(row.layer.out_shape),
        f"{row.params:,}",
        f"{row.macs:,}",
        f"{row.field.size:,}",
    )


def _tools(plan: Plan) -> list[tuple[str, ...]]:
    """What each tool would print, and what it leaves out."""
    return [
        (
            f"{found.convention.tool} {found.convention.version}",
            found.convention.quantity,
            f"{found.total:,}",
            ", ".join(found.not_counted),
        )
        for found in tool_counts(plan)
    ]


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _shape(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))

"""A design as a Markdown page: sizes, costs and layers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from cnnlib.design.cost import Cost, LayerCost, cost, larger_than_image
from cnnlib.design.other_tools import tool_counts
from cnnlib.design.plan import Plan
from cnnlib.design.source.module_code import module_call
from cnnlib.units import format_size


def summary(plan: Plan, title: str = "", *, batch_size: int = 128, optimizer: str = "sgd") -> str:
    """Write a Markdown page.

    Args:
        title: Heading of the page.
        batch_size: Pictures in a training step, for memory and FLOPs of a step.
        optimizer: A name in `cnnlib.vocabulary.training.OPTIMIZERS`, for the memory of a step.

    Raises:
        SpecError: A batch of less than one picture, or an optimiser that the lab does not know.
    """
    costs = cost(plan, batch_size=batch_size, optimizer=optimizer)
    heading = re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", " ".join(title.split())) or "Network"
    parts = [
        f"# {heading}",
        _table(("quantity", "value"), _network_rows(plan, costs)),
        "## Layers",
        _table(
            ("layer", "module", "output", "parameters", "MACs", "receptive field"),
            map(_layer_row, costs.layers),
        ),
        *_field_note(plan, costs),
        "## Counts of other tools",
        _table(("tool", "quantity", "total", "not counted"), _tool_rows(plan)),
    ]
    return "\n\n".join(parts) + "\n"


def _network_rows(plan: Plan, costs: Cost) -> list[tuple[str, str]]:
    """Return the rows of the table of the whole network: quantity, value."""
    step = f"a training step of {costs.batch_size} pictures, {costs.optimizer}"
    return [
        ("input", _format_shape(plan.spec.in_size)),
        ("classes", f"{plan.spec.out_classes:,}"),
        ("trainable parameters", f"{costs.params:,}"),
        ("multiply-accumulates (MACs), one picture", f"{costs.macs:,}"),
        ("FLOPs forward, one picture", f"{costs.flops:,}"),
        (f"FLOPs of {step}", f"{costs.training_step_flops:,}"),
        ("memory of the weights", format_size(costs.weight_bytes)),
        (f"memory of {step}", format_size(costs.training_bytes)),
        ("receptive field", f"{costs.receptive_field} x {costs.receptive_field} pixels"),
    ]


def _field_note(plan: Plan, costs: Cost) -> list[str]:
    """Return the sentence on receptive fields that are larger than the image, if there are any."""
    largest = max(row.field.size for row in costs.layers)
    sentence = larger_than_image(largest, plan.spec.in_size)
    return [sentence] if sentence else []


def _layer_row(row: LayerCost) -> tuple[str, ...]:
    """Return one row of the table of layers."""
    return (
        f"`{row.layer.name}`",
        f"`{module_call(row.layer).text()}`",
        _format_shape(row.layer.out_shape),
        f"{row.params:,}",
        f"{row.macs:,}",
        f"{row.field.size:,}",
    )


def _tool_rows(plan: Plan) -> list[tuple[str, ...]]:
    """Return the rows of the table of tools: tool, quantity, total, layers not counted."""
    return [
        (
            f"{tool_count.convention.tool} {tool_count.convention.version}",
            tool_count.convention.quantity,
            f"{tool_count.total:,}",
            ", ".join(tool_count.not_counted),
        )
        for tool_count in tool_counts(plan)
    ]


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _format_shape(sizes: Sequence[int]) -> str:
    """Format a shape: ``1 x 28 x 28``."""
    return " x ".join(map(str, sizes))

"""The tables of layers and of other tools' counts on the Build page."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from typing import Any

import streamlit as st

from cnnlib.design.cost import Cost
from cnnlib.design.other_tools import ToolCount, tool_counts
from cnnlib.design.plan import Plan
from cnnlib.figures.labels import kind_label, settings_label, shape_text
from cnnlib.ui.build.widget_sync import count_callback

ROW_HEIGHT = 30
MOST_ROWS_SHOWN = 14


def layer_columns(cost: Cost) -> dict[str, list[Any]]:
    """Build the columns, one row per layer in forward order: None for zero, shares in per cent."""
    rows = cost.layers
    return {
        "Layer": [kind_label(row.layer) for row in rows],
        "Settings": [settings_label(row.layer) for row in rows],
        "Output": [shape_text(row.layer.out_shape) for row in rows],
        "Parameters": [row.params or None for row in rows],
        "% of parameters": _shares([row.params for row in rows]),
        "MACs": [row.macs or None for row in rows],
        "% of MACs": _shares([row.macs for row in rows]),
        "Receptive field": [row.field.size for row in rows],
        "Memory": [row.output_bytes / 1e6 for row in rows],
        "Name": [row.layer.name for row in rows],
    }


def _shares(values: list[int]) -> list[float | None]:
    """Each value in per cent of their sum; None for zero."""
    total = sum(values)
    return [100 * value / total if value else None for value in values]


def layer_table(cost: Cost, marked: str, mark: Callable[[str], None]) -> None:
    """Show all layers; a click on a heading sorts them.

    Args:
        marked: Name of the layer whose row is marked; "" for none.
        mark: Is called with the name of the layer whose row is chosen.
    """

    def record() -> None:
        count_callback()
        chosen = st.session_state.build_layers["selection"]["rows"]
        mark(cost.layers[chosen[0]].layer.name if chosen else "")

    import pyarrow as pa  # the fastest input of st.dataframe: no conversion by pandas

    rows = [place for place, row in enumerate(cost.layers) if row.layer.name == marked]
    st.session_state.build_layers = {"selection": {"rows": rows, "columns": [], "cells": []}}
    shown = min(len(cost.layers), MOST_ROWS_SHOWN)
    st.dataframe(
        pa.table(layer_columns(cost)),
        key="build_layers",
        on_select=record,
        selection_mode="single-row",
        hide_index=True,
        height=(shown + 1) * ROW_HEIGHT + 8,
        row_height=ROW_HEIGHT,
        placeholder="",
        column_config=_column_config(),
    )


def _column_config() -> dict[str, Any]:
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    share = partial(
        st.column_config.ProgressColumn, format="%.1f", width=104, min_value=0, max_value=100
    )
    return {
        "Layer": text(width=118),
        "Settings": text(width=118, help="Settings that the name of the layer does not show."),
        "Output": text(width=86, help="Channels × height × width, or the number of features."),
        "Parameters": number(
            format="localized", width=78, help="Numbers of this layer that training adjusts."
        ),
        "% of parameters": share(help="Share of the parameters of the whole network."),
        "MACs": number(
            format="localized",
            width=82,
            help="Multiply-accumulate operations for one picture, without biases.",
        ),
        "% of MACs": share(help="Share of the MACs of the whole network."),
        "Receptive field": number(
            format="%d px",
            width=96,
            help="Side of the square of the picture that one output value depends on. Where it is "
            "larger than the picture, it is the size on a picture without edges.",
        ),
        "Memory": number(
            format="%.2f MB", width=66, help="Size of the layer's output for the whole batch."
        ),
        "Name": text(help="Name of the module in PyTorch."),
    }


def tool_table(plan: Plan, macs: int) -> None:
    """Show one row per total that another tool prints.

    Args:
        macs: The multiply-accumulates that the lab counts.
    """
    st.caption(
        f"The lab counts {macs:,} multiply-accumulate operations (MACs) for one picture: those of "
        f"convolutions and linear layers, without biases. Other tools use other rules. The table "
        f"shows the totals that they print for one picture in evaluation mode."
    )
    st.markdown("\n".join(tool_rows(plan)))


def tool_rows(plan: Plan) -> Generator[str]:
    """Yield the lines of the table in Markdown, headings first."""
    yield "| Tool | Total | Why it differs |"
    yield "|---|--:|---|"
    for tool_count in tool_counts(plan):
        convention = tool_count.convention
        yield (
            f"| **{convention.tool}** {convention.version} "
            f"| **{tool_count.total:,}** {convention.quantity} "
            f"| {convention.sentence} {_parts(tool_count)}{_not_counted(tool_count)} "
            f"`{convention.call}` |"
        )


def _parts(tool_count: ToolCount) -> str:
    """Describe the parts of a total, the largest first."""
    parts = sorted(tool_count.parts, key=lambda part: -part[1])
    return (
        "For this design: " + ", ".join(f"{name} {value:,}" for name, value in parts if value) + "."
    )


def _not_counted(tool_count: ToolCount) -> str:
    """Describe the layers that a tool does not count; "" where there are none."""
    names = ", ".join(tool_count.not_counted)
    return f" Not counted: {names}." if names else ""

"""A table of confusions as a figure: what is right in blue, what is wrong in orange."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from cnnlib.figures.theme import BLUE, ORANGE, axis, empty_figure, figure, see_through

_WRITTEN_CLASSES = 20  # numbers stand in the cells of a table up to this size
_LOG_FROM = 1.0


def confusion_figure(table: np.ndarray, names: Sequence[str]) -> go.Figure:
    """Counts of pictures by true class (rows) and by what the network said (columns).

    Args:
        table: Classes x classes counts.
    """
    if not table.sum():
        return empty_figure("Confusions", "No picture was measured.")
    right = np.diag(table.diagonal()).astype(float)
    traces = [_cells(right, table, names, BLUE), _cells(table - right, table, names, ORANGE)]
    side = {"type": "category", "showgrid": False, "zeroline": False}
    return figure(
        traces,
        "",
        xaxis=axis("The network says", **side),
        yaxis=axis("It is", autorange="reversed", **side),
        annotations=_written(table, names),
        height=max(320, min(720, 34 * len(names) + 90)),
        margin={"l": 72, "r": 16, "t": 16, "b": 56},
    )


def _cells(
    shown: np.ndarray, table: np.ndarray, names: Sequence[str], colour: str
) -> dict[str, Any]:
    """The cells that hold something, the stronger the more pictures (on a logarithmic scale)."""
    there = shown > 0
    strength = np.where(there, np.log1p(shown), np.nan)
    most = max(np.nanmax(strength, initial=0.0), _LOG_FROM)
    written = np.where(there, table.astype(int).astype(str), "")
    return {
        "type": "heatmap",
        "z": [[None if np.isnan(value) else float(value) for value in row] for row in strength],
        "x": list(names),
        "y": list(names),
        "zmin": 0.0,
        "zmax": float(most),
        "colorscale": [[0, see_through(colour, 0.05)], [1, see_through(colour, 0.6)]],
        "showscale": False,
        "xgap": 1,
        "ygap": 1,
        "text": written.tolist(),
        "hovertemplate": "is %{y}, said %{x}: %{text}<extra></extra>",
        "hoverongaps": False,
    }


def _written(table: np.ndarray, names: Sequence[str]) -> list[dict[str, Any]]:
    """The counts in the cells, in the colour of the page's text; none in a large table."""
    if len(names) > _WRITTEN_CLASSES:
        return []
    return [
        {"x": int(said), "y": int(true), "text": f"{table[true, said]:,}", "showarrow": False}
        for true, said in zip(*np.nonzero(table), strict=True)
    ]

"""The deletion curve of an explanation."""

from __future__ import annotations

import plotly.graph_objects as go

from cnnlib.figures.theme import BLUE, GREY, empty_figure, figure
from cnnlib.records.probe import DeletionCurve

TITLE = "The class's probability while pixels are deleted"


def deletion_figure(record: DeletionCurve) -> go.Figure:
    """The map's order against random orders."""
    if not len(record.fractions):
        return empty_figure(TITLE, "Nothing was deleted.")
    shares = (100 * record.fractions).tolist()
    lines = [
        {
            "type": "scatter",
            "x": shares,
            "y": curve.tolist(),
            "mode": "lines",
            "name": "random order",
            "showlegend": i == 0,
            "line": {"color": GREY, "width": 1},
        }
        for i, curve in enumerate(record.random)
    ]
    ordered = {
        "type": "scatter",
        "x": shares,
        "y": record.ordered.tolist(),
        "mode": "lines+markers",
        "name": "most important first",
        "line": {"color": BLUE},
    }
    return figure([*lines, ordered], TITLE, "Deleted pixels (%)", "Probability")

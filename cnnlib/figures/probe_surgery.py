"""What an operation on a filter does to each class."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from cnnlib.figures.theme import GREY, VERMILION, axis, empty_figure, figure


def surgery_figure(
    before: Sequence[float | None],
    after: Sequence[float | None],
    names: Sequence[str],
    channel: int,
) -> go.Figure:
    """Accuracy per class, untouched and operated; classes without pictures are left out."""
    title = f"Accuracy per class with filter {channel} operated"
    there = [i for i, value in enumerate(before) if value is not None]
    if not there:
        return empty_figure(title, "No picture was measured.")
    traces = [
        {
            "type": "bar",
            "x": [names[i] for i in there],
            "y": [100 * (values[i] or 0) for i in there],
            "name": name,
            "marker": {"color": colour},
        }
        for name, values, colour in (("untouched", before, GREY), ("operated", after, VERMILION))
    ]
    return figure(
        traces,
        title,
        xaxis=axis("Class", type="category"),
        yaxis=axis("Recognised (%)", range=[0, 100]),
        barmode="group",
    )

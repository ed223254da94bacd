"""A bar chart of the pictures per class of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnnlib.figures.theme import BLUE, ORANGE, axis, bars, empty_figure, figure

if TYPE_CHECKING:
    import plotly.graph_objects as go


def class_counts_figure(
    classes: Sequence[str], train: Sequence[int], test: Sequence[int]
) -> go.Figure:
    """Draw the number of training and test pictures of each class, side by side.

    Args:
        classes: Names; ``train`` and ``test`` have one count for each.
    """
    if not classes:
        return empty_figure("Pictures per class", "No classes.")
    traces = [
        bars(classes, values, name, {"color": colour}, hovertemplate="%{x}: %{y:,}<extra></extra>")
        for name, values, colour in (("training", train, BLUE), ("test", test, ORANGE))
    ]
    return figure(
        traces,
        "",
        xaxis=axis("Class", type="category"),
        yaxis=axis("Pictures"),
        barmode="group",
        height=280,
    )

"""A bar chart of the pictures per class of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cnnlib.figures.theme import BLUE, GREEN, ORANGE, axis, bars, empty_figure, figure

if TYPE_CHECKING:
    import plotly.graph_objects as go


def class_counts_figure(
    classes: Sequence[str],
    train: Sequence[int],
    test: Sequence[int],
    validation: Sequence[int] = (),
) -> go.Figure:
    """Draw the number of pictures of each class in each split, side by side.

    Args:
        classes: Names; ``train`` and ``test`` have one count for each.
        validation: Counts of the dataset's own validation split; empty or only zeros without one.
    """
    if not classes:
        return empty_figure("Pictures per class", "No classes.")
    traces = [
        bars(classes, values, name, {"color": colour}, hovertemplate="%{x}: %{y:,}<extra></extra>")
        for name, values, colour in (
            ("training", train, BLUE),
            ("validation", validation, GREEN),
            ("test", test, ORANGE),
        )
        if name != "validation" or any(values)
    ]
    return figure(
        traces,
        "",
        xaxis=axis("Class", type="category"),
        yaxis=axis("Pictures"),
        barmode="group",
        height=280,
    )

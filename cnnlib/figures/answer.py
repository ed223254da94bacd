"""The figure of a prediction's probability under small changes of the drawing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cnnlib.figures.theme import GRID, axis, colour, empty_figure, figure, stroke

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from cnnlib.records.drawing import ChangeKind, Robustness

_AMOUNTS: dict[ChangeKind, str] = {
    "right": "pixels<br>to the right",
    "down": "pixels<br>down",
    "turn": "degrees<br>clockwise",
    "thickness": "pixels<br>thicker",
}


def robustness_figure(results: Sequence[Robustness]) -> go.Figure:
    """Draw the probability of each network's answer under small changes, a panel per kind.

    A cross marks a change after which another class is the likeliest.
    """
    if not results:
        return empty_figure("Probability after small changes", "Draw something.")
    measured = {point.change.kind for result in results for point in result.changed}
    kinds = [kind for kind in _AMOUNTS if kind in measured]
    traces = [
        _robustness_trace(result, kind, panel, number)
        for panel, kind in enumerate(kinds, start=1)
        for number, result in enumerate(results)
    ]
    layout: dict[str, Any] = {"grid": {"rows": 1, "columns": len(kinds), "pattern": "coupled"}}
    for panel, kind in enumerate(kinds, start=1):
        layout[f"xaxis{panel}"] = axis(_AMOUNTS[kind])
    layout["xaxis"] = layout.pop("xaxis1")
    layout["yaxis"] = axis("Probability", gridcolor=GRID, range=[0, 103], ticksuffix=" %")
    layout["showlegend"] = len(results) > 1
    layout["height"] = 260
    return figure(traces, "", **layout)


def _robustness_curve(
    result: Robustness, kind: ChangeKind
) -> tuple[list[float], list[float], list[bool]]:
    """Return amounts, probabilities in per cent, and whether the class is unchanged."""
    points = [point for point in result.changed if point.change.kind == kind]
    return (
        [point.change.amount for point in points],
        [100 * point.probability for point in points],
        [point.name == result.answer.name for point in points],
    )


def _robustness_trace(
    result: Robustness, kind: ChangeKind, panel: int, number: int
) -> dict[str, Any]:
    """Build the trace of one network in one panel."""
    amounts, values, unchanged = _robustness_curve(result, kind)
    names = [point.name for point in result.changed if point.change.kind == kind]
    return {
        "mode": "lines+markers",
        "name": result.answer.title,
        "legendgroup": result.answer.run_id,
        "showlegend": panel == 1,
        "x": amounts,
        "y": values,
        "customdata": names,
        "xaxis": "x" if panel == 1 else f"x{panel}",
        "yaxis": "y",
        "line": stroke(number),
        "marker": {
            "color": colour(number),
            "size": 8,
            "symbol": ["circle" if same else "x" for same in unchanged],
        },
        "hovertemplate": "%{x}: %{y:.2f} %, predicts %{customdata}<extra></extra>",
    }

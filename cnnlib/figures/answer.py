"""What networks say about a drawing: bars of their probabilities, and how they move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnlib.figures.theme import GRID, axis, colour, empty_figure, figure, fill, stroke

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

    from cnnlib.records.drawing import Answer, ChangeKind, Robustness

MOST_CLASSES = 12
_PERCENT = {"range": [0, 100], "ticksuffix": " %"}
_AMOUNTS: dict[ChangeKind, str] = {
    "right": "pixels<br>to the right",
    "down": "pixels<br>down",
    "turn": "degrees<br>to the right",
    "thickness": "pixels<br>thicker",
}


def answer_figure(answers: Sequence[Answer]) -> go.Figure:
    """Bars for all classes, those of several networks side by side.

    Where there are more than a dozen classes, the likeliest are shown.

    Args:
        answers: All with the same classes.
    """
    if not answers:
        return empty_figure("What the networks say", "Draw something.")
    classes = answers[0].classes
    shown = _likeliest(answers)
    bars = [
        {
            "type": "bar",
            "name": answer.title,
            "x": [classes[label] for label in shown],
            "y": [100 * answer.probabilities[label] for label in shown],
            "marker": fill(number),
            "hovertemplate": "%{x}: %{y:.2f} %<extra></extra>",
        }
        for number, answer in enumerate(answers)
    ]
    return figure(
        bars,
        "",
        xaxis=axis("Class", type="category"),
        yaxis=axis("Probability", **_PERCENT),
        barmode="group",
        showlegend=len(answers) > 1,
        margin={"l": 56, "r": 8, "t": 24, "b": 48},
        height=260,
    )


def _likeliest(answers: Sequence[Answer]) -> list[int]:
    """Labels that are shown, in their order."""
    labels = range(len(answers[0].classes))
    best = sorted(labels, key=lambda label: -max(a.probabilities[label] for a in answers))
    return sorted(best[:MOST_CLASSES])


def robustness_figure(found: Sequence[Robustness]) -> go.Figure:
    """The probability of each network's answer under small changes, a panel for each kind.

    A cross marks a change after which another class is the likeliest.
    """
    if not found:
        return empty_figure("Under small changes", "Draw something.")
    kinds = [kind for kind in _AMOUNTS if any(_curve(each, kind)[0] for each in found)]
    traces = [
        _trace(each, kind, panel, number)
        for panel, kind in enumerate(kinds, start=1)
        for number, each in enumerate(found)
    ]
    layout: dict[str, Any] = {"grid": {"rows": 1, "columns": len(kinds), "pattern": "coupled"}}
    for panel, kind in enumerate(kinds, start=1):
        layout[f"xaxis{panel}"] = axis(_AMOUNTS[kind])
    layout["xaxis"] = layout.pop("xaxis1")
    layout["yaxis"] = axis("Probability", gridcolor=GRID, range=[0, 103], ticksuffix=" %")
    layout["showlegend"] = len(found) > 1
    layout["height"] = 260
    return figure(traces, "", **layout)


def _curve(each: Robustness, kind: ChangeKind) -> tuple[list[float], list[float], list[bool]]:
    """Amounts, probabilities in per cent, and whether the answer is still the same class."""
    points = [one for one in each.changed if one.change.kind == kind]
    return (
        [one.change.amount for one in points],
        [100 * one.probability for one in points],
        [one.name == each.answer.name for one in points],
    )


def _trace(each: Robustness, kind: ChangeKind, panel: int, number: int) -> dict[str, Any]:
    amounts, values, kept = _curve(each, kind)
    names = [one.name for one in each.changed if one.change.kind == kind]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": each.answer.title,
        "legendgroup": each.answer.run_id,
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
            "symbol": ["circle" if same else "x" for same in kept],
        },
        "hovertemplate": "%{x}: %{y:.2f} %, says %{customdata}<extra></extra>",
    }

"""Figures of experiments: which setting mattered, and the best so far."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from cnnlib.figures.theme import (
    CATEGORICAL,
    GREY,
    HEIGHT,
    LEGEND_BELOW,
    MARGIN,
    counted_axis,
    empty_figure,
    figure,
    stroke,
)
from cnnlib.records.compare import Effect


def effects_figure(effects: Sequence[Effect]) -> go.Figure:
    """Mean validation accuracy at each value of each setting, the setting that matters first;
    a setting that had one value cannot matter, and is left out.
    """
    title = "Which setting mattered"
    effects = [effect for effect in effects if len(effect.means) > 1]
    if not effects:
        return empty_figure(title, "No two values of a setting have been tried yet.")
    traces = [
        {
            "type": "scatter",
            "x": [f"{effect.setting} = {value}" for value in effect.means],
            "y": [100 * mean for mean in effect.means.values()],
            "mode": "lines+markers",
            "name": f"{effect.setting}: {100 * effect.spread:.1f} points",
            "line": stroke(number),
        }
        for number, effect in enumerate(effects)
    ]
    # The names of the values stand upright below a narrow figure: the legend goes under them.
    layout = {
        "legend": LEGEND_BELOW | {"yref": "container", "y": 0, "yanchor": "bottom"},
        "margin": MARGIN | {"b": 110},
        "height": HEIGHT + 40,
    }
    return figure(traces, title, "", "Mean validation accuracy (%)", **layout)


def best_figure(scores: Sequence[float], best: Sequence[float]) -> go.Figure:
    """The score of each trial, and the best up to it."""
    title = "Best so far"
    if not scores:
        return empty_figure(title, "No trial has ended yet.")
    number = list(range(1, len(scores) + 1))
    dots = {
        "type": "scatter",
        "x": number,
        "y": [100 * score for score in scores],
        "mode": "markers",
        "name": "trial",
        "marker": {"color": GREY},
    }
    line = {
        "type": "scatter",
        "x": number,
        "y": [100 * score for score in best],
        "mode": "lines",
        "name": "best so far",
        "line": {"color": CATEGORICAL[0], "shape": "hv"},
    }
    return figure(
        [dots, line],
        title,
        y_title="Validation accuracy (%)",
        xaxis=counted_axis("Trial", len(number)),
        legend=LEGEND_BELOW,
    )

"""Figures of gradients: their sizes layer by layer, and over the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from cnnlib.figures.theme import BLUE, axis, empty_figure, figure, mix, stroke
from cnnlib.records.probe import LayerGradient

TITLE = "Size of the gradients, layer by layer"
TITLE_OVER_TIME = "Typical gradient of each layer over the training"


def gradient_sizes_figure(layers: Sequence[LayerGradient]) -> go.Figure:
    """The middle half and the middle nine tenths of each layer's gradients, on a log scale."""
    if not layers:
        return empty_figure(TITLE, "The network has no weights.")
    names = [each.layer.removeprefix("features.").removeprefix("classifier.") for each in layers]
    lines = []
    for low, high, width in ((0, 4, 2), (1, 3, 8)):
        for i, each in enumerate(layers):
            span = [each.quantiles[low], each.quantiles[high]]
            lines.append(
                {
                    "type": "scatter",
                    "x": [names[i]] * 2,
                    "y": [max(value, 1e-12) for value in span],
                    "mode": "lines",
                    "line": {"color": BLUE, "width": width},
                    "hoverinfo": "skip",
                    "showlegend": False,
                }
            )
    middle = {
        "type": "scatter",
        "x": names,
        "y": [max(each.quantiles[2], 1e-12) for each in layers],
        "mode": "markers",
        "marker": {"color": mix(BLUE, "#ffffff", 0.7), "size": 7, "line": {"color": BLUE}},
        "name": "median",
        "showlegend": False,
        "customdata": [each.norm for each in layers],
        "hovertemplate": "%{x}: median %{y:.2e}, length of all %{customdata:.3g}<extra></extra>",
    }
    return figure(
        [*lines, middle],
        TITLE,
        xaxis=axis("Layer", type="category"),
        yaxis=axis("Absolute value", type="log", exponentformat="power"),
    )


def gradients_over_time_figure(moments: Mapping[int, Sequence[LayerGradient]]) -> go.Figure:
    """Root mean square of each layer's gradient at each saved step."""
    if not moments:
        return empty_figure(TITLE_OVER_TIME, "No step was saved.")
    layers = [each.layer for each in next(iter(moments.values()))]
    steps = list(moments)
    lines = [
        {
            "type": "scatter",
            "x": steps,
            "y": [max(moments[step][i].rms, 1e-12) for step in steps],
            "mode": "lines+markers",
            "name": layer,
            "line": stroke(i),
        }
        for i, layer in enumerate(layers)
    ]
    return figure(
        lines,
        TITLE_OVER_TIME,
        "Step",
        yaxis=axis("Root mean square", type="log", exponentformat="power"),
        legend={"orientation": "v"},
    )


def gradient_bands_figure(moments: Mapping[int, Sequence[LayerGradient]], layer: str) -> go.Figure:
    """How one layer's gradients are distributed at each saved step: median, half, nine tenths."""
    title = f"Gradients of {layer} over the training"
    there = {
        step: each.quantiles
        for step, layers in moments.items()
        for each in layers
        if each.layer == layer
    }
    if not there:
        return empty_figure(title, "This layer has no weights.")
    steps = list(there)

    def line(place: int) -> list[float]:
        return [max(quantiles[place], 1e-12) for quantiles in there.values()]

    bands = [
        {
            "type": "scatter",
            "x": [*steps, *reversed(steps)],
            "y": [*line(low), *reversed(line(high))],
            "fill": "toself",
            "fillcolor": mix(BLUE, "#ffffff", share),
            "opacity": 0.6,
            "line": {"width": 0},
            "mode": "lines",
            "name": name,
            "hoverinfo": "skip",
        }
        for low, high, share, name in ((0, 4, 0.3, "nine tenths"), (1, 3, 0.6, "half"))
    ]
    middle = {
        "type": "scatter",
        "x": steps,
        "y": line(2),
        "mode": "lines+markers",
        "name": "median",
        "line": {"color": BLUE},
    }
    return figure(
        [*bands, middle],
        title,
        "Step",
        yaxis=axis("Absolute value", type="log", exponentformat="power"),
    )

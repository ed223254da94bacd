"""Figures of what a network got wrong: accuracy per class, and calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from cnnlib.figures.theme import BLUE, GREY, LEGEND_BELOW, axis, empty_figure, figure
from cnnlib.records.probe import Calibration


def class_accuracy_figure(accuracies: np.ndarray, names: Sequence[str]) -> go.Figure:
    """A point per class; classes without pictures are left out.

    Args:
        accuracies: Fractions 0..1, NaN for a class without pictures.
    """
    there = [i for i, value in enumerate(accuracies) if np.isfinite(value)]
    if not there:
        return empty_figure("Accuracy per class", "No test picture was measured.")
    points = {
        "type": "scatter",
        "mode": "markers",
        "x": [names[i] for i in there],
        "y": [100 * float(accuracies[i]) for i in there],
        "marker": {"color": BLUE, "size": 9},
        "hovertemplate": "%{x}: %{y:.2f} %<extra></extra>",
    }
    lowest = min(points["y"])
    limits = [max(0, lowest - 5) if lowest > 50 else 0, 101]  # a point at 100 is a whole one
    return figure(
        [points],
        "Accuracy per class",
        xaxis=axis("Class", type="category"),
        yaxis=axis("Recognised (%)", range=limits),
    )


def calibration_figure(record: Calibration) -> go.Figure:
    """Accuracy over confidence, and the diagonal on which both agree."""
    there = np.flatnonzero(record.counts)
    if not len(there):
        return empty_figure("Calibration", "No test picture was measured.")
    ideal = {
        "type": "scatter",
        "x": [0, 100],
        "y": [0, 100],
        "mode": "lines",
        "name": "as sure as right",
        "line": {"color": GREY, "dash": "dash"},
    }
    measured = {
        "type": "scatter",
        "x": (100 * record.confidence[there]).tolist(),
        "y": (100 * record.accuracy[there]).tolist(),
        "customdata": record.counts[there].tolist(),
        "mode": "lines+markers",
        "name": "this network",
        "line": {"color": BLUE},
        "hovertemplate": "%{x:.1f} % sure, %{y:.1f} % right, "
        "%{customdata:,} pictures<extra></extra>",
    }
    return figure(
        [ideal, measured],
        f"Calibration (mean gap {100 * record.error:.1f} points)",
        "Confidence (%)",
        "Accuracy (%)",
        legend=LEGEND_BELOW,
    )

"""Figures of inspection: gradients, deletion, ablation, class accuracy, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnnlib.figures.theme import (
    BLUE,
    GREY,
    LEGEND_BELOW,
    ORANGE,
    VERMILION,
    axis,
    band,
    bars,
    dots,
    empty_figure,
    figure,
    line,
    mix,
    percents,
    stroke,
    with_alpha,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from cnnlib.records.probe import Calibration, LayerGradient, SanityCheck

SIZES_TITLE = "Gradient size per layer"
OVER_TIME_TITLE = "Gradient size of each layer during training"


def gradient_sizes_figure(layers: Sequence[LayerGradient]) -> go.Figure:
    """Draw the middle half and the middle nine tenths of each layer's gradients, log scale."""
    if not layers:
        return empty_figure(SIZES_TITLE, "The network has no weights.")
    names = [each.layer.removeprefix("features.").removeprefix("classifier.") for each in layers]
    lines = []
    for low, high, width in ((0, 4, 2), (1, 3, 8)):
        for i, each in enumerate(layers):
            span = [max(each.quantiles[end], 1e-12) for end in (low, high)]
            style = {"color": BLUE, "width": width}
            hidden = {"hoverinfo": "skip", "showlegend": False}
            lines.append(line([names[i]] * 2, span, "", style, mode="lines", **hidden))
    medians = dots(
        names,
        [max(each.quantiles[2], 1e-12) for each in layers],
        "median",
        {"color": mix(BLUE, "#ffffff", 0.7), "size": 7, "line": {"color": BLUE}},
        showlegend=False,
        customdata=[each.norm for each in layers],
        hovertemplate="%{x}: median %{y:.2e}, L2 norm %{customdata:.3g}<extra></extra>",
    )
    return figure(
        [*lines, medians],
        SIZES_TITLE,
        xaxis=axis("Layer", type="category"),
        yaxis=axis("Absolute value", type="log", exponentformat="power"),
    )


def gradients_over_time_figure(
    gradients_by_step: Mapping[int, Sequence[LayerGradient]],
) -> go.Figure:
    """Draw the root mean square of each layer's gradient at each saved step."""
    if not gradients_by_step:
        return empty_figure(OVER_TIME_TITLE, "No step was saved.")
    layers = [each.layer for each in next(iter(gradients_by_step.values()))]
    steps = list(gradients_by_step)
    lines = [
        line(steps, [max(gradients_by_step[n][i].rms, 1e-12) for n in steps], layer, stroke(i))
        for i, layer in enumerate(layers)
    ]
    return figure(
        lines,
        OVER_TIME_TITLE,
        "Step",
        yaxis=axis("Root mean square", type="log", exponentformat="power"),
        legend={"orientation": "v"},
    )


def gradient_bands_figure(
    gradients_by_step: Mapping[int, Sequence[LayerGradient]], layer: str
) -> go.Figure:
    """Draw the distribution of one layer's gradients at each saved step.

    Shown are the median, the middle half and the middle nine tenths.
    """
    title = f"Gradients of {layer} during training"
    quantiles_by_step = {
        step: each.quantiles
        for step, layers in gradients_by_step.items()
        for each in layers
        if each.layer == layer
    }
    if not quantiles_by_step:
        return empty_figure(title, "This layer has no weights.")
    steps = list(quantiles_by_step)

    def values_of(quantile: int) -> list[float]:
        return [max(quantiles[quantile], 1e-12) for quantiles in quantiles_by_step.values()]

    bands = [
        band(steps, values_of(low), values_of(high), mix(BLUE, "#ffffff", share), name=name)
        | {"opacity": 0.6}
        for low, high, share, name in ((0, 4, 0.3, "middle 90 %"), (1, 3, 0.6, "middle 50 %"))
    ]
    return figure(
        [*bands, line(steps, values_of(2), "median", {"color": BLUE})],
        title,
        "Step",
        yaxis=axis("Absolute value", type="log", exponentformat="power"),
    )


DELETION_TITLE = "Class probability as pixels are deleted"


def deletion_figure(record: SanityCheck) -> go.Figure:
    """Draw the deletion curve in the map's order, and those in the control orders."""
    if not len(record.fractions):
        return empty_figure(DELETION_TITLE, "Nothing was deleted.")
    shares = (100 * record.fractions).tolist()
    controls = (
        (record.copies, "copies of the map", GREY),
        (record.random_weights, "maps of random weights", ORANGE),
    )
    lines = [
        line(
            *(shares, curve.tolist(), name, {"color": with_alpha(colour, 0.6), "width": 1}),
            mode="lines",
            showlegend=i == 0,
        )
        for curves, name, colour in controls
        for i, curve in enumerate(curves)
    ]
    ordered = line(shares, record.ordered.tolist(), "most important first", {"color": BLUE})
    labels = "Deleted pixels (%)", "Probability"
    return figure([*lines, ordered], DELETION_TITLE, *labels, legend=LEGEND_BELOW)


def ablation_figure(
    before: Sequence[float | None],
    after: Sequence[float | None],
    names: Sequence[str],
    channel: int,
) -> go.Figure:
    """Draw the accuracy per class before and after an ablation; empty classes are left out."""
    title = f"Accuracy per class before and after the ablation of filter {channel}"
    measured = [i for i, value in enumerate(before) if value is not None]
    if not measured:
        return empty_figure(title, "No picture was measured.")
    classes = [names[i] for i in measured]
    traces = [
        bars(classes, percents(values[i] or 0 for i in measured), name, {"color": colour})
        for name, values, colour in (("before", before, GREY), ("after", after, VERMILION))
    ]
    return figure(
        traces,
        title,
        xaxis=axis("Class", type="category"),
        yaxis=axis("Accuracy (%)", range=[0, 100]),
        barmode="group",
    )


def class_accuracy_figure(accuracies: np.ndarray, names: Sequence[str]) -> go.Figure:
    """Draw the accuracy of each class as a point; classes without pictures are left out.

    Args:
        accuracies: Fractions 0..1, NaN for a class without pictures.
    """
    measured = [i for i, value in enumerate(accuracies) if np.isfinite(value)]
    if not measured:
        return empty_figure("Accuracy per class", "No test picture was measured.")
    shares = percents(float(accuracies[i]) for i in measured)
    template = "%{x}: %{y:.2f} %<extra></extra>"
    marker = {"color": BLUE, "size": 9}
    points = dots([names[i] for i in measured], shares, "", marker, hovertemplate=template)
    lowest = min(shares)
    limits = [max(0, lowest - 5) if lowest > 50 else 0, 101]  # shows a point at 100 in full
    return figure(
        [points],
        "Accuracy per class",
        xaxis=axis("Class", type="category"),
        yaxis=axis("Accuracy (%)", range=limits),
    )


def calibration_figure(record: Calibration) -> go.Figure:
    """Draw accuracy over confidence, and the diagonal of perfect calibration."""
    bins = np.flatnonzero(record.counts)
    if not len(bins):
        return empty_figure("Calibration", "No test picture was measured.")
    dashes = {"color": GREY, "dash": "dash"}
    ideal = line([0, 100], [0, 100], "perfect calibration", dashes, mode="lines")
    measured = line(
        (100 * record.confidence[bins]).tolist(),
        (100 * record.accuracy[bins]).tolist(),
        "this network",
        {"color": BLUE},
        customdata=record.counts[bins].tolist(),
        hovertemplate="%{x:.1f} % confidence, %{y:.1f} % correct, "
        "%{customdata:,} pictures<extra></extra>",
    )
    return figure(
        [ideal, measured],
        f"Calibration (mean gap {100 * record.error:.1f} points)",
        "Confidence (%)",
        "Accuracy (%)",
        legend=LEGEND_BELOW,
    )

"""Figures of comparisons: curves with bands, accuracy against cost, settings, classes, duels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cnnlib.figures.labels import EQUAL_RANGE
from cnnlib.figures.theme import (
    CATEGORICAL,
    GREY,
    HEIGHT,
    LEGEND_BELOW,
    MARGIN,
    axis,
    band,
    bars,
    colour,
    counted_axis,
    dots,
    empty_figure,
    figure,
    fill,
    line,
    percents,
    stroke,
    with_alpha,
)
from cnnlib.units import format_points

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from cnnlib.records.compare import ClassScores, Curve, Effect, Look, Point, SettingLine, Verdict
from cnnlib.records.setting_labels import setting_label

COST_TITLES = {
    "params": "Trainable parameters",
    "macs": "Multiply-accumulate operations per picture",
    "seconds": "Training time (seconds)",
}


def curves_figure(curves: Sequence[Curve], title: str) -> go.Figure:
    """Draw means over seeds as lines, with a band from the lowest to the highest seed."""
    if not curves:
        return empty_figure(title, "No epoch has finished yet.")
    is_share = "accuracy" in title.lower()
    scale = 100 if is_share else 1
    traces: list[dict[str, Any]] = []
    for curve in curves:
        low, mean, high = (
            [scale * v for v in each] for each in (curve.low, curve.mean, curve.high)
        )
        name = curve.name
        if curve.seeds > 1:
            name = f"{name}, {curve.seeds} seeds"
            area = with_alpha(colour(curve.place), _BAND_ALPHA)
            traces.append(band(curve.epochs, high, low, area, showlegend=False))
        mode = "lines+markers" if len(curve.epochs) < 30 else "lines"
        traces.append(line(curve.epochs, mean, name, stroke(curve.place), mode=mode))
    return figure(
        traces,
        title,
        y_title=f"{title} (%)" if is_share else title,
        xaxis=counted_axis("Epoch", max(len(curve.epochs) for curve in curves)),
        legend=LEGEND_BELOW,
        height=HEIGHT + _LEGEND_LINE * (len(curves) - 1),  # each name may need its own line
    )


def cost_figure(points: Sequence[Point], cost: str) -> go.Figure:
    """Draw test accuracy against cost (log scale), with intervals and the Pareto frontier."""
    title = f"Test accuracy against {COST_TITLES[cost].split(' (')[0].lower()}"
    if not points:
        return empty_figure(title, "No row has a test accuracy yet.")
    frontier = sorted((p for p in points if p.on_frontier), key=lambda point: point.cost)
    costs = [point.cost for point in points]
    steps = line(
        [point.cost for point in frontier],
        percents(point.accuracy for point in frontier),
        "Pareto frontier: no design is both cheaper and better",
        {"color": GREY, "dash": "dot", "shape": "hv"},
        mode="lines",
        hoverinfo="skip",
    )
    designs = dots(
        costs,
        percents(point.accuracy for point in points),
        "designs",
        {"color": [colour(point.place) for point in points], "size": 9},
        text=[point.name for point in points],
        mode="markers+text" if len(points) <= 12 else "markers",
        textposition="top center",
        error_y=_error_bars(points),
        hovertemplate="%{text}<br>%{x:,} – %{y:.2f} %<extra></extra>",
    )
    is_wide = 0 < 20 * min(costs) < max(costs)  # a run of 0 epochs takes 0 s: no log scale
    return figure(
        [steps, designs],
        title,
        COST_TITLES[cost],
        "Test accuracy (%)",
        xaxis=axis(COST_TITLES[cost], type="log" if is_wide else "linear"),
        showlegend=False,
    )


def settings_figure(lines: Sequence[SettingLine]) -> go.Figure:
    """Draw parallel coordinates: one line per design over the settings that differ."""
    title = "Settings that differ, and validation accuracy"
    lines = [each for each in lines if each.accuracy is not None]
    if len(lines) < 2 or not lines[0].values:
        return empty_figure(title, "Select two or more rows that differ in a setting.")
    scores = percents(each.accuracy for each in lines if each.accuracy is not None)
    dimensions = [
        _dimension(name, [each.values.get(name) for each in lines]) for name in lines[0].values
    ]
    dimensions.append({"label": "validation accuracy (%)", "values": scores})
    trace = {
        "type": "parcoords",
        "dimensions": dimensions,
        "line": {"color": scores, "colorscale": "Cividis", "showscale": False},
        "labelfont": {"size": 11},
    }
    return figure([trace], title, margin={"l": 90, "r": 60, "t": 80, "b": 30})


def class_figure(
    scores: Sequence[ClassScores], classes: Sequence[str], title: str = "Test accuracy per class"
) -> go.Figure:
    """Draw the accuracy in each class, the designs side by side."""
    if not scores:
        return empty_figure(title, "No selected row has a test result yet.")
    shares = [[share if share is None else 100 * share for share in s.accuracy] for s in scores]
    traces = [
        bars(classes, share, each.name, fill(each.place))
        for each, share in zip(scores, shares, strict=True)
    ]
    shown = [share for each in shares for share in each if share is not None]
    floor = max(0.0, min(shown, default=0.0) - 5)
    return figure(
        traces,
        title,
        barmode="group",
        legend=LEGEND_BELOW,
        xaxis=axis("Class", type="category"),
        yaxis=axis("Accuracy (%)", range=[floor, 100]),
    )


def duel_figure(verdict: Verdict, name_a: str, name_b: str) -> go.Figure:
    """Draw the difference after each pair, its sequential intervals and the equivalence range."""
    title = f"{name_b} minus {name_a}"
    if not verdict.looks:
        return empty_figure(title, "No pair has finished yet.")
    looks = [look for look in verdict.looks if look.low is not None]
    mean = line(
        [look.pairs for look in verdict.looks],
        percents(look.mean for look in verdict.looks),
        "mean difference",
        {"color": CATEGORICAL[0]},
        customdata=[_format_interval(look) for look in verdict.looks],
        hovertemplate="%{x} pairs: %{y:.2f} points%{customdata}<extra></extra>",
    )
    interval = band(
        [look.pairs for look in looks],
        percents(look.low for look in looks if look.low is not None),
        percents(look.high for look in looks if look.high is not None),
        with_alpha(CATEGORICAL[0], _BAND_ALPHA),
        # One look has no area to fill: its interval is this line.
        line={"width": 2 if len(looks) == 1 else 1, "color": CATEGORICAL[0]},
        name="sequential interval",
    )
    same = {
        "type": "rect",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": -100 * verdict.within,
        "y1": 100 * verdict.within,
        "fillcolor": with_alpha(GREY, _BAND_ALPHA),
        "line": {"width": 0},
        "layer": "below",
        "label": {
            "text": EQUAL_RANGE,
            "textposition": "top right",
            "font": {"color": GREY, "size": 11},
        },
    }
    # After the verdict no pair follows.
    last_pair = verdict.pairs if verdict.is_over else verdict.most_pairs
    return figure(
        [interval, mean],
        title,
        shapes=[same] if verdict.within else [],
        legend=LEGEND_BELOW,
        xaxis=counted_axis("Pairs of runs", last_pair, range=[0.5, last_pair + 0.5]),
        yaxis=axis("Difference (percentage points)", range=_duel_range(verdict)),
    )


_BAND_ALPHA = 0.18
_LEGEND_LINE = 18  # pixels


def _format_interval(look: Look) -> str:
    """Format ``, interval −1.20 to 3.40``; "" before there is an interval."""
    if look.low is None or look.high is None:
        return ""
    return f", interval {format_points(look.low)} to {format_points(look.high)}"


def _duel_range(verdict: Verdict) -> list[float]:
    """Return the ends of the y axis, symmetric about zero, in percentage points."""
    shown = [3 * verdict.within, 0.001]
    for look in verdict.looks:
        shown += [end for end in (look.low, look.mean, look.high) if end is not None]
    reach = 110 * max(map(abs, shown))
    return [-reach, reach]


def _error_bars(points: Sequence[Point]) -> dict[str, Any]:
    """Build the intervals of points as error bars."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [100 * (p.high - p.accuracy) if p.high is not None else 0 for p in points],
        "arrayminus": [100 * (p.accuracy - p.low) if p.low is not None else 0 for p in points],
        "color": GREY,
        "thickness": 1,
    }


def _dimension(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """Build one axis: numbers on a linear scale, texts evenly spaced."""
    try:
        return {"label": name, "values": [float(value) for value in values]}
    except (TypeError, ValueError):
        categories = sorted({str(value) for value in values})
        return {
            "label": name,
            "values": [categories.index(str(value)) for value in values],
            "tickvals": list(range(len(categories))),
            "ticktext": [text if len(text) <= 18 else text[:17] + "…" for text in categories],
        }


def effects_figure(effects: Sequence[Effect]) -> go.Figure:
    """Draw one panel per setting: the mean validation accuracy at each of its values.

    The settings are in the given order, and share the y axis. Bars are 95 % intervals over seeds.
    """
    title = "Effect of each setting"
    known = [effect for effect in effects if effect.spread is not None]
    if not known:
        return empty_figure(title, "No combinations with results differ in one setting only.")
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {}
    for number, effect in enumerate(known):
        suffix = "" if number == 0 else str(number + 1)
        reach = 0.0 if effect.reach is None else 100 * effect.reach
        traces.append(
            line(
                list(effect.means),
                percents(effect.means.values()),
                setting_label(effect.setting),
                {"color": colour(0)},
                xaxis=f"x{suffix}",
                marker={"size": 9},
                error_y={"type": "constant", "value": reach, "color": GREY, "visible": reach > 0},
            )
        )
        width = 1 / len(known)
        layout[f"xaxis{suffix}"] = axis(
            f"{setting_label(effect.setting)}: {100 * (effect.spread or 0):.1f} points",
            type="category",
            domain=[number * width, (number + 1) * width - 0.06 * width * (len(known) > 1)],
        )
    return figure(
        traces,
        title,
        yaxis=axis("Mean validation accuracy (%)"),
        showlegend=False,
        height=HEIGHT + 40,
        margin=MARGIN | {"b": 80},
        **layout,
    )


def best_figure(scores: Sequence[float], best: Sequence[float]) -> go.Figure:
    """Draw the score of each trial, and the best score up to it."""
    title = "Best so far"
    if not scores:
        return empty_figure(title, "No trial has finished yet.")
    trials = list(range(1, len(scores) + 1))
    style = {"color": CATEGORICAL[0], "shape": "hv"}
    return figure(
        [
            dots(trials, percents(scores), "trial", {"color": GREY}),
            line(trials, percents(best), "best so far", style, mode="lines"),
        ],
        title,
        y_title="Validation accuracy (%)",
        xaxis=counted_axis("Trial", len(trials)),
        legend=LEGEND_BELOW,
    )

"""Colours, margins and scales of all figures.

Colours are those of ``.streamlit/config.toml``: Okabe and Ito's, changed in lightness until
each has a contrast of at least 3 on the light and on the dark page, because one figure is shown on
both. For the same reason figures have no background, and the page sets the colour of their text.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import import_module
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

# Pages and canvases read the same file.
_FILE = Path(__file__).parents[1] / "ui" / "common" / "static" / "tokens.css"
_TOKENS = _FILE.read_text(encoding="utf-8")
_MARKS = dict(re.findall(r"--mark-(\w+): (#[0-9a-f]{6});", _TOKENS))
# The colours of a page in both themes, as declarations of CSS.
_PAGE = _TOKENS.partition("/* Of a component. */")[0]
PAGE_TOKENS = "".join(re.findall(r"--[\w-]+: [^;]+;", _PAGE))
BLUE, ORANGE, GREEN = _MARKS["blue"], _MARKS["orange"], _MARKS["green"]
VERMILION, PURPLE, SKY, GREY = (_MARKS[name] for name in ("vermilion", "purple", "sky", "grey"))

CATEGORICAL = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY)

# Five of each with six colours: thirty different series.
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
HATCHES = ("", "/", "x", ".", "-")

# From negative to positive, for signed values such as weights.
DIVERGING = (
    *("#003f66", "#005d96", "#4785b9", "#8cb1d3", "#d0ddeb"),
    *("#efd8d3", "#e4a08d", "#d26647", "#b03400", "#7a2400"),
)

MARGIN = {"l": 56, "r": 16, "t": 40, "b": 48}
HEIGHT = 320
LEGEND_BELOW = {"orientation": "h", "y": -0.25, "yanchor": "top", "x": 0}
GRID = "rgba(125, 136, 148, 0.25)"
CLEAR = "rgba(0, 0, 0, 0)"


def colour(index: int) -> str:
    """Return the colour of the n-th series; colours repeat after six."""
    return CATEGORICAL[index % len(CATEGORICAL)]


def stroke(index: int) -> dict[str, str]:
    """Return the style of the n-th line: a colour, and dashes for colour-blind readers."""
    return {"color": colour(index), "dash": DASHES[index % len(DASHES)]}


def fill(index: int) -> dict[str, Any]:
    """Return the style of the n-th bar: a colour, and from the second bar on hatches."""
    pattern = {"shape": HATCHES[index % len(HATCHES)], "fillmode": "overlay", "solidity": 0.2}
    return {"color": colour(index), "pattern": pattern}


def mix(first: str, second: str, share: float) -> str:
    """Mix two ``#rrggbb`` colours; `share` 0..1 is the share of the second."""
    pairs = zip(channels(first), channels(second), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def with_alpha(colour: str, alpha: float) -> str:
    """Return a ``#rrggbb`` colour with an opacity `alpha` of 0..1, as CSS ``rgba``."""
    red, green, blue = channels(colour)
    return f"rgba({red}, {green}, {blue}, {alpha})"


def channels(colour: str) -> tuple[int, int, int]:
    """Return red, green and blue of a ``#rrggbb`` colour, 0..255."""
    return (int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16))


def line(
    x: Sequence[Any], y: Sequence[float], name: str, style: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    """Build the trace of a line through points, with a style such as that of `stroke`."""
    return {"x": x, "y": y, "name": name, "line": style, "mode": "lines+markers", **more}


def dots(
    x: Sequence[Any], y: Sequence[float], name: str, marker: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    """Build the trace of points that no line connects."""
    return {"x": x, "y": y, "name": name, "marker": marker, "mode": "markers", **more}


def bars(
    x: Sequence[Any], y: Sequence[Any], name: str, marker: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    """Build the trace of one series of bars, with a marker such as that of `fill`."""
    return {"type": "bar", "x": list(x), "y": list(y), "name": name, "marker": marker, **more}


def band(
    x: Sequence[Any], low: Sequence[float], high: Sequence[float], colour: str, **more: Any
) -> dict[str, Any]:
    """Build the trace of the area between two lines."""
    area = {"x": [*x, *reversed(x)], "y": [*low, *reversed(high)], "fill": "toself"}
    line = {"fillcolor": colour, "line": {"width": 0}, "mode": "lines", "hoverinfo": "skip"}
    return {**area, **line, **more}


def percents(fractions: Iterable[float]) -> list[float]:
    """Return fractions of 0..1 in percent."""
    return [100 * fraction for fraction in fractions]


def axis(title: str, **more: Any) -> dict[str, Any]:
    """Build an axis with a title (which includes the unit) and a faint grid."""
    return {"title": {"text": title}, "gridcolor": GRID, "zerolinecolor": GRID, **more}


def counted_axis(title: str, most: int, **more: Any) -> dict[str, Any]:
    """Build an axis of whole numbers up to `most`, without ticks such as 1.2 between them."""
    return axis(title, **({"dtick": 1} if most <= 20 else {}), **more)


def figure(
    data: Sequence[dict[str, Any]], title: str, x_title: str = "", y_title: str = "", **layout: Any
) -> go.Figure:
    """Build a figure with the default layout from plain dicts, which plotly checks once.

    Args:
        data: Traces, as dicts; one without a ``type`` is a scatter plot.
        layout: More of plotly's layout; overrides the defaults.
    """
    defaults = {
        "title": {"text": title},
        "xaxis": axis(x_title),
        "yaxis": axis(y_title),
        "margin": MARGIN,
        "height": HEIGHT,
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "colorway": CATEGORICAL,
        "modebar": {"bgcolor": CLEAR, "color": GREY, "activecolor": SKY},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
    }
    if "pandas" in sys.modules:
        import_module("pandas")  # plotly reads it, and another thread may still be importing it
    traces = [_escape_names(trace) for trace in data]
    return go.Figure({"data": traces, "layout": defaults | layout})


def _escape_names(trace: dict[str, Any]) -> dict[str, Any]:
    """Escape the names of a trace, because plotly interprets HTML tags and entities in them."""
    return trace | {
        field: _escape_html(trace[field]) for field in ("name", "x", "y", "text") if field in trace
    }


def _escape_html(value: Any) -> Any:
    """Escape a text, or the texts in a sequence."""
    if isinstance(value, str):
        return escape(value, quote=False)
    return [_escape_html(each) for each in value] if isinstance(value, list | tuple) else value


def empty_figure(title: str, sentence: str) -> go.Figure:
    """Build a figure without data, with a sentence in its place."""
    hidden = {"visible": False}
    note = {"text": sentence, "showarrow": False, "xref": "paper", "yref": "paper"}
    return figure([], title, xaxis=hidden, yaxis=hidden, annotations=[note | {"x": 0.5, "y": 0.5}])

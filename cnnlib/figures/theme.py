"""Colours, margins and scales of every figure, in one place.

Colours are those of ``.streamlit/config.toml``: Okabe and Ito's, moved in lightness until each has
a contrast of at least 3 on the light and on the dark page, because a figure does not know which one
it is shown on. For the same reason figures have no background of their own, and leave the colour of
their text to the page.
"""

from __future__ import annotations

import sys
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go

if TYPE_CHECKING:
    from collections.abc import Sequence

BLUE = "#0068a8"
ORANGE = "#d08000"
GREEN = "#0e9c79"
VERMILION = "#c43a00"
PURPLE = "#bc6ab4"
SKY = "#2a97ea"
GREY = "#7d8894"

CATEGORICAL = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY)

# Five of each, beside six colours: thirty series before two of them look the same.
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
HATCHES = ("", "/", "x", ".", "-")

# Below zero to above zero, for signed values such as weights.
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
    """The colour of the n-th series; they repeat after six."""
    return CATEGORICAL[index % len(CATEGORICAL)]


def stroke(index: int) -> dict[str, str]:
    """The look of the n-th line: who does not tell its colour from another's sees its dashes."""
    return {"color": colour(index), "dash": DASHES[index % len(DASHES)]}


def fill(index: int) -> dict[str, Any]:
    """The look of the n-th bar: a colour, and from the second bar on hatches over it."""
    pattern = {"shape": HATCHES[index % len(HATCHES)], "fillmode": "overlay", "solidity": 0.2}
    return {"color": colour(index), "pattern": pattern}


def mix(first: str, second: str, share: float) -> str:
    """A colour between two ``#rrggbb`` colours; `share` 0..1 is how much of the second."""
    pairs = zip(channels(first), channels(second), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def see_through(colour: str, alpha: float) -> str:
    """A ``#rrggbb`` colour through which the page shows; ``alpha`` 0..1 is how much covers it."""
    red, green, blue = channels(colour)
    return f"rgba({red}, {green}, {blue}, {alpha})"


def channels(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of a ``#rrggbb`` colour, 0..255."""
    return (int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16))


def axis(title: str, **more: Any) -> dict[str, Any]:
    """An axis with a title (which carries the unit) and a quiet grid."""
    return {"title": {"text": title}, "gridcolor": GRID, "zerolinecolor": GRID, **more}


def counted_axis(title: str, most: int, **more: Any) -> dict[str, Any]:
    """An axis of whole numbers up to `most`: plotly writes 1.2 between 1 and 2 by itself."""
    return axis(title, **({"dtick": 1} if most <= 20 else {}), **more)


def figure(
    data: Sequence[dict[str, Any]], title: str, x_title: str = "", y_title: str = "", **layout: Any
) -> go.Figure:
    """A figure built from plain dicts, which plotly checks once, in the house's layout.

    Args:
        data: Traces, as dicts with their ``type``.
        layout: More of plotly's layout; overrides what stands here.
    """
    house = {
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
        import_module("pandas")  # plotly looks at it, and another thread may be half through it
    return go.Figure({"data": [_as_typed(trace) for trace in data], "layout": house | layout})


def _as_typed(trace: dict[str, Any]) -> dict[str, Any]:
    """A trace whose names are shown letter by letter: plotly reads tags and entities in them."""
    return trace | {
        field: _letters(trace[field]) for field in ("name", "x", "y", "text") if field in trace
    }


def _letters(value: Any) -> Any:
    if isinstance(value, str):
        return escape(value, quote=False)
    return [_letters(each) for each in value] if isinstance(value, list | tuple) else value


def empty_figure(title: str, sentence: str) -> go.Figure:
    """A figure with nothing to show yet, which says so."""
    hidden = {"visible": False}
    note = {"text": sentence, "showarrow": False, "xref": "paper", "yref": "paper"}
    return figure([], title, xaxis=hidden, yaxis=hidden, annotations=[note | {"x": 0.5, "y": 0.5}])

"""The memory of a training step as a bar of its parts, in HTML."""

from __future__ import annotations

from html import escape

from cnnlib.design.memory import PARTS, Peak
from cnnlib.figures.theme import CATEGORICAL, GREY
from cnnlib.units import format_size

_COLOURS = dict(zip(PARTS.values(), (*CATEGORICAL, GREY, GREY), strict=True))

_CSS = """
.memory-bar { display: flex; gap: 2px; height: 14px; margin: 6px 0; }
.memory-bar i { min-width: 2px; border-radius: 3px; background: var(--part); }
.memory-parts { display: flex; flex-wrap: wrap; gap: 2px 18px; font-size: 0.875rem; }
.memory-parts span { white-space: nowrap; }
.memory-parts i { display: inline-block; width: 10px; height: 10px; margin-right: 6px;
    border-radius: 3px; background: var(--part); }
"""


def memory_html(peak: Peak) -> str:
    """Write a sentence on the peak, a bar of its parts, and a list of them in the bar's order."""
    parts = peak.labelled()
    bar = "".join(f'<i style="flex: {size}; {_paint(label)}"></i>' for label, size in parts)
    items = "".join(
        f'<span role="listitem"><i style="{_paint(label)}"></i>'
        f"{escape(label.capitalize())} {format_size(size)}</span>"
        for label, size in parts
    )
    return (
        f"<style>{_CSS}</style><div>A training step needs most memory in the "
        f"{escape(peak.moment)}: {format_size(peak.bytes)}.</div>"
        f'<div class="memory-bar" aria-hidden="true">{bar}</div>'
        f'<div class="memory-parts" role="list">{items}</div>'
    )


def _paint(label: str) -> str:
    return f"--part: {_COLOURS[label]}"

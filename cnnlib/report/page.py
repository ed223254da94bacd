"""The results with their charts as one HTML file, which needs no network connection."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plotly.offline import get_plotlyjs

from cnnlib.compare.charts import accuracy_against, curves
from cnnlib.compare.rows import Row, best_of_sentence
from cnnlib.figures.compare import cost_figure, curves_figure
from cnnlib.report.text import format_cells, to_csv, to_latex, to_markdown

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from cnnlib.compare.columns import Column

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
div.wide { overflow-x: auto; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #7d889455; text-align: left; }
td.number, th.number { text-align: right; }
p.note { color: #7d8894; }
"""


def to_html(rows: Sequence[Row], columns: Sequence[Column], *, title: str = "Results") -> str:
    """Write an HTML page with the table and its charts."""
    figures = [
        curves_figure(curves(rows, "val_accuracy"), "Validation accuracy"),
        curves_figure(curves(rows, "train_loss"), "Training loss"),
        *(
            cost_figure(accuracy_against(rows, cost), cost)
            for cost in ("params", "macs", "seconds")
        ),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
        f"<script>{get_plotlyjs()}</script></head><body><h1>{html.escape(title)}</h1>"
        f'<div class="wide">{_write_table(rows, columns)}</div>'
        f'<p class="note">{html.escape(best_of_sentence(rows))}</p>'
        f"{''.join(_write_chart(figure) for figure in figures)}</body></html>\n"
    )


def _write_table(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """Write the table as HTML."""
    classes = ["" if column.kind == "text" else ' class="number"' for column in columns]

    def write_row(cells: Sequence[str], tag: str) -> str:
        parts = zip(cells, classes, strict=True)
        return f"<tr>{''.join(f'<{tag}{c}>{html.escape(t)}</{tag}>' for t, c in parts)}</tr>"

    head = write_row([column.title for column in columns], "th")
    body = "".join(write_row(cells, "td") for cells in format_cells(rows, columns))
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def _write_chart(figure: go.Figure) -> str:
    """Write a chart as HTML; the page loads plotly once."""
    return figure.to_html(full_html=False, include_plotlyjs=False, default_height="360px")


@dataclass(frozen=True)
class ReportFormat:
    """A format of the results table as a file.

    Args:
        suffix: Of the file's name.
        write: Takes the rows and the columns.
    """

    title: str
    suffix: str
    mime: str
    write: Callable[[Sequence[Row], Sequence[Column]], str]


FORMATS = {
    "csv": ReportFormat("CSV", "csv", "text/csv", to_csv),
    "markdown": ReportFormat("Markdown", "md", "text/markdown", to_markdown),
    "latex": ReportFormat("LaTeX", "tex", "text/x-tex", to_latex),
    "html": ReportFormat("HTML with charts", "html", "text/html", to_html),
}

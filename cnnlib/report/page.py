"""The results table with its charts as one HTML file, and all formats of the table."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING

from cnnlib.compare.charts import accuracy_against, labels
from cnnlib.compare.differences import differing_settings
from cnnlib.compare.rows import Row, best_of_sentence
from cnnlib.figures.compare import COST_TITLES
from cnnlib.records.setting_labels import setting_label
from cnnlib.report.document import write_document, write_paragraph, write_section, write_table
from cnnlib.report.sections import (
    format_date,
    write_curves,
    write_designs,
    write_provenance,
    write_recipes,
)
from cnnlib.report.svg import points_chart
from cnnlib.report.text import format_cells, to_csv, to_latex, to_markdown
from cnnlib.units import listed, plural

if TYPE_CHECKING:
    from cnnlib.compare.charts import Cost
    from cnnlib.compare.columns import Column
    from cnnlib.design.spec import CNNSpec

MOST_CURVES = 12  # in one chart
MOST_DESIGNS = 12
_COSTS: tuple[Cost, ...] = ("params", "macs", "seconds")


def to_html(rows: Sequence[Row], columns: Sequence[Column], *, title: str = "Results") -> str:
    """Write an HTML page with the table, its charts, the designs and their recipes."""
    made = time.time()
    numbered = [
        replace(row, given_name=f"{number}: {row.name}") for number, row in enumerate(rows, 1)
    ]
    shown = [row for row in numbered if any(row.epochs)][:MOST_CURVES]
    more = ""
    if len(shown) < len(rows):
        more = f"The charts show the first {len(shown)} of {plural(len(rows), 'row')}."
    runs = [run for row in rows for run in row.runs]
    parts = (
        f'<header class="hero"><div class="label">CNN Lab, {format_date(made)}</div>'
        f"<h1>{escape(title)}</h1>{write_paragraph(_summary(rows))}"
        f"{write_paragraph(best_of_sentence(rows), 'note')}</header>",
        write_section("Table", _write_results(rows, columns)),
        write_section("How they learned", write_curves(shown, more)),
        write_section("Accuracy against cost", _write_costs(shown)),
        write_section("Settings that differ", _write_settings(rows)),
        write_section("Designs", _write_designs(numbered)),
        write_section(
            "Recipes",
            write_recipes(
                {name: row.request.recipe for name, row in zip(labels(shown), shown, strict=True)}
            )
            if shown
            else "",
        ),
        write_section("How it was made", write_provenance(runs, made)),
    )
    return write_document(title, "".join(parts))


def _summary(rows: Sequence[Row]) -> str:
    """Write what the page shows."""
    datasets = sorted({row.request.dataset.removeprefix("folder:") for row in rows})
    on = f" on {', '.join(datasets)}" if datasets else ""
    runs = plural(sum(len(row.runs) for row in rows), "run")
    return f"{plural(len(rows), 'row')} of {runs}{on}; a row is a design with its recipe."


def _write_results(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """Write the table with a number for each row, which the charts use."""
    cells = format_cells(rows, columns)
    return write_table(
        ["", *(column.title for column in columns)],
        [[str(number), *row] for number, row in enumerate(cells, 1)],
        numbers=[True, *(column.kind != "text" for column in columns)],
        kind="rows",
    )


def _write_costs(rows: Sequence[Row]) -> str:
    """Draw accuracy against each cost; training times only where all are of one machine."""
    costs = _COSTS if len({each for row in rows for each in row.machines}) < 2 else _COSTS[:2]
    charts = [
        points_chart(
            accuracy_against(rows, cost),
            f"Test accuracy against {COST_TITLES[cost].split(' (')[0].lower()}",
            COST_TITLES[cost],
        )
        for cost in costs
    ]
    if not any(charts):
        return ""
    note = (
        "Vertical lines: 95 % confidence intervals. Dashed: no design is both cheaper and better "
        "than those on it."
    )
    return f'{write_paragraph(note, "note")}<div class="grid">{"".join(charts)}</div>'


def _write_settings(rows: Sequence[Row]) -> str:
    """Write the settings in which the rows differ."""
    table = differing_settings(rows) if len(rows) > 1 else {}
    if not table:
        return ""
    return write_table(
        ["", "Design", *map(setting_label, table)],
        [
            [str(number + 1), name, *(values[number] for values in table.values())]
            for number, name in enumerate(labels(rows))
        ],
        numbers=[True] + [False] * (1 + len(table)),
        kind="rows",
    )


def _write_designs(rows: Sequence[Row]) -> str:
    """Draw each design once, under the names of its rows."""
    names: dict[CNNSpec, list[str]] = {}
    for row, name in zip(rows, labels(rows), strict=True):
        names.setdefault(row.request.spec, []).append(name)
    designs = [(listed(each), spec) for spec, each in names.items()]
    note = (
        f"The first {MOST_DESIGNS} of {len(designs)} designs."
        if len(designs) > MOST_DESIGNS
        else ""
    )
    return write_paragraph(note, "note") + write_designs(designs[:MOST_DESIGNS])


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

"""The results table of the page: controls, columns, and the selected rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.compare.columns import COLUMN_PRESETS, COLUMNS, Column, cells, column, columns
from cnnlib.compare.rows import Row
from cnnlib.ui.common.format import dataset_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from streamlit.typing import DataframeState

    from cnnlib.compare.results_table import ResultsTable

CURVE = "Curve"
_PRESET_TITLES = {
    "results": "Accuracy",
    "course texts": "Table of the course texts",
    "cost": "Cost",
    "learning": "Training",
}


@dataclass(frozen=True)
class View:
    """Settings of the table: search text, columns, kind of rows, hidden rows."""

    search: str
    columns: tuple[Column, ...]
    each_seed: bool
    hidden: bool


def view_controls(each_seed: bool) -> View:
    """Show the controls above the table: search, columns, one row per design or per run.

    Args:
        each_seed: Default of the toggle that shows one row per run.
    """
    with st.container(horizontal=True, vertical_alignment="bottom"):
        search = st.text_input(
            "Search",
            key="results_search",
            placeholder="lenet5 adam test>99 params<1e5",
            width=280,
            help=_SEARCH_HELP,
        )
        preset = st.selectbox(
            "Columns",
            [*COLUMN_PRESETS, "own choice"],
            format_func=lambda name: _PRESET_TITLES.get(name, "Custom"),
            key="results_preset",
            width=240,
        )
        each = st.toggle("Each seed", value=each_seed, key="results_each", help=_EACH_HELP)
        hidden = st.toggle("Hidden rows", key="results_hidden", help=_HIDDEN_HELP)
    return View(search, _choose_columns(preset), each, hidden)


_SEARCH_HELP = (
    "Words from the name, dataset, note, tags or settings of a row, and comparisons with a column: "
    "test>99, validation>=98.5, params<1e5, seconds<60, seeds>=3, dataset=mnist, tag=course."
)
_EACH_HELP = "One row per run. When off, runs that differ only in their seed share one row."
_HIDDEN_HELP = "Also shows the rows that you have hidden."


def _choose_columns(preset: str) -> tuple[Column, ...]:
    if preset != "own choice":
        return columns(COLUMN_PRESETS[preset])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        names = st.multiselect(
            "Show",
            list(COLUMNS),
            default=list(COLUMN_PRESETS["results"]),
            format_func=lambda name: COLUMNS[name].title,
            key="results_columns",
        )
        goal = st.number_input(
            "Time to accuracy (%)",
            *(0.0, 100.0, 0.0, 1.0),
            key="results_goal",
            help=_GOAL_HELP,
            width=170,
        )
    selected = columns(["name", *(name for name in names if name != "name")])
    return (*selected, column(f"seconds_to_{goal:g}")) if goal else selected


_GOAL_HELP = (
    "Adds a column: the training time until the validation accuracy first reached this value. "
    "0 adds no column."
)


def shown_rows(table: ResultsTable, view: View) -> list[Row]:
    """Return the rows of a view, sorted by validation accuracy."""
    rows = table.arrange(_all_rows(table.version(), table), hidden=view.hidden, search=view.search)
    if not view.each_seed:
        return rows
    return [single for row in rows for single in rows_per_run(row)]


@st.cache_resource(show_spinner=False, max_entries=4, ttl=60)
def _all_rows(version: tuple[object, ...], _table: ResultsTable) -> list[Row]:
    """Read all rows; they are immutable, so all sessions share them until the store changes."""
    return _table.all_rows()


def rows_per_run(row: Row) -> list[Row]:
    """Split a row into one row per run."""
    return [
        Row(
            *(run.id, (run,), row.not_pooled_reason or f"Seed {run.request.seed}", (epochs,)),
            *(row.test_pictures, row.val_pictures, f"{row.name}, seed {run.request.seed}"),
        )
        for run, epochs in zip(row.runs, row.epochs, strict=True)
    ]


def has_partial_row(table: ResultsTable, run_ids: Sequence[str]) -> bool:
    """Whether these runs are only some of a design's runs, so that they need one row each."""
    wanted = set(run_ids)
    if not wanted:
        return False
    groups = [{run.id for run in row.runs} for row in _all_rows(table.version(), table)]
    return any(ids & wanted and not ids <= wanted for ids in groups)


def selectable_table(
    rows: Sequence[Row], shown: Sequence[Column], selected: Sequence[str], *, key: str
) -> list[Row]:
    """Show the table and return the selected rows.

    Streamlit stores the positions of selected rows. When rows are added, removed or reordered, the
    table gets a new key, with the same rows selected.

    Args:
        selected: Ids of runs; a row is selected if all its runs are among them.
    """
    names = "\n".join([*(row.key for row in rows), *(each.name for each in shown)])
    digest = hashlib.sha256(names.encode()).hexdigest()[:16]
    wanted = set(selected)
    positions = [
        position for position, row in enumerate(rows) if wanted >= {run.id for run in row.runs}
    ]
    frame = table_frame(rows, shown)
    state: DataframeState = st.dataframe(
        frame,
        key=f"{key}_{digest}",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": positions, "columns": [], "cells": []}},
        column_config=_column_config(shown, frame),
        placeholder="–",
    )
    positions = sorted(state["selection"]["rows"])
    return [rows[position] for position in positions if position < len(rows)]


def table_frame(rows: Sequence[Row], shown: Sequence[Column]) -> pd.DataFrame:
    """Build a data frame with one record per row: accuracies in per cent, None if not known."""
    import pandas as pd  # not at the top: it takes seconds, for a page with a table only

    records = [
        {CURVE: _curve(row)} | {each.title: _scale(values[each.name], each) for each in shown}
        for row, values in zip(rows, cells(rows, shown), strict=True)
    ]
    return pd.DataFrame(records, columns=[*_column_titles(shown)])


def _column_titles(shown: Sequence[Column]) -> list[str]:
    """List the titles, with the curve after the first of them."""
    titles = [each.title for each in shown]
    return [*titles[:1], CURVE, *titles[1:]]


def _scale(value: Any, shown: Column) -> Any:
    if shown.name == "dataset":
        return dataset_label(value)
    return 100 * value if shown.kind == "percent" and value is not None else value


def _curve(row: Row) -> list[float]:
    """Validation accuracy of the first run per epoch, in per cent; empty for a single epoch."""
    epochs = row.epochs[0] if row.epochs else ()
    curve = [100 * epoch.val_accuracy for epoch in epochs if epoch.val_accuracy is not None]
    return curve if len(curve) > 1 else []


def text_width(texts: Sequence[str]) -> int:
    """Column width in pixels for the longest text; Streamlit measures the first rows alone."""
    narrowest, widest = _TEXT_PIXELS
    longest = max(map(len, texts), default=0)
    return max(narrowest, min(widest, 20 + round(6.5 * longest)))


_TEXT_PIXELS = (70, 200)


def _column_config(shown: Sequence[Column], frame: pd.DataFrame) -> dict[str, Any]:
    text, number = st.column_config.TextColumn, st.column_config.NumberColumn
    config: dict[str, Any] = {
        each.title: number(help=each.help, format=_FORMATS[each.kind])
        for each in shown
        if each.kind in _FORMATS
    }
    config |= {
        each.title: text(
            help=each.help,
            pinned=each.name == "name",
            width=_TEXT_PIXELS[1] if each.name == "name" else text_width(list(frame[each.title])),
        )
        for each in shown
        if each.kind == "text"
    }
    curve = st.column_config.LineChartColumn(
        CURVE, help="Validation accuracy after each epoch, for the first seed", width="small"
    )
    return config | {CURVE: curve}


_FORMATS = {
    "percent": "%.2f %%",
    "loss": "%.4f",
    "count": "localized",
    "seconds": "%.1f",
    "rate": "%d",
}

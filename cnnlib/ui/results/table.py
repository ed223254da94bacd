"""The results table on a page: its controls, its columns, and the rows that are selected."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.compare.columns import COLUMN_PRESETS, COLUMNS, Column, cells, column, columns
from cnnlib.compare.rows import Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from streamlit.typing import DataframeState

    from cnnlib.compare.results_table import ResultsTable

CURVE = "Curve"
_PRESET_TITLES = {
    "results": "What it is worth",
    "course texts": "The course texts' table",
    "cost": "What it costs",
    "learning": "How it learned",
}


@dataclass(frozen=True)
class View:
    """How somebody wants to see the table."""

    search: str
    columns: tuple[Column, ...]
    each_seed: bool
    hidden: bool


def view_controls(each_seed: bool) -> View:
    """What stands above the table: search, columns, one row per design or per run.

    Args:
        each_seed: Where the choice between designs and single runs stands at first.
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
            format_func=lambda name: _PRESET_TITLES.get(name, "My own choice"),
            key="results_preset",
            width=240,
        )
        each = st.toggle("Each seed", value=each_seed, key="results_each", help=_EACH_HELP)
        hidden = st.toggle("Hidden rows", key="results_hidden")
    return View(search, _chosen_columns(preset), each, hidden)


_SEARCH_HELP = (
    "Words of a row's name, dataset, note, tags or settings, and comparisons with its columns: "
    "test>99, validation>=98.5, params<1e5, seconds<60, seeds>=3, dataset=mnist, tag=course."
)
_EACH_HELP = "One row for each run; otherwise runs that differ by their seed alone share a row."


def _chosen_columns(preset: str) -> tuple[Column, ...]:
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
            "Time to (%)", 0.0, 100.0, 0.0, 1.0, key="results_goal", help=_GOAL_HELP, width=140
        )
    chosen = columns(["name", *(name for name in names if name != "name")])
    return (*chosen, column(f"seconds_to_{goal:g}")) if goal else chosen


_GOAL_HELP = "Adds the training time until validation first had this accuracy; 0 adds nothing."


def shown_rows(desk: ResultsTable, view: View) -> list[Row]:
    """The rows that the view asks for, in the order of validation."""
    rows = desk.arranged(_all_rows(desk.version(), desk), hidden=view.hidden, search=view.search)
    if not view.each_seed:
        return rows
    return [single for row in rows for single in seeds_of(row)]


@st.cache_resource(show_spinner=False, max_entries=4, ttl=60)
def _all_rows(version: tuple[object, ...], _desk: ResultsTable) -> list[Row]:
    """Rows are immutable, so that all sessions may share them until the store changes."""
    return _desk.all_rows()


def seeds_of(row: Row) -> list[Row]:
    """One row for each run of a row."""
    return [
        Row(
            *(run.id, (run,), row.alone_because or f"seed {run.request.seed}", (told,)),
            *(row.test_pictures, row.val_pictures, f"{row.name}, seed {run.request.seed}"),
        )
        for run, told in zip(row.runs, row.epochs, strict=True)
    ]


def is_part_of_a_row(desk: ResultsTable, run_ids: Sequence[str]) -> bool:
    """Some design has one of these runs, but others too: only single rows can show the choice."""
    wanted = set(run_ids)
    if not wanted:
        return False
    its = [{run.id for run in row.runs} for row in _all_rows(desk.version(), desk)]
    return any(ids & wanted and not ids <= wanted for ids in its)


def selectable_table(
    rows: Sequence[Row], shown: Sequence[Column], selected: Sequence[str], *, key: str
) -> list[Row]:
    """The table; returns the rows that are selected.

    Streamlit names rows by their place. When rows come, go or change places the table becomes a new
    one, with the same rows selected.

    Args:
        selected: Ids of runs; a row is selected where all its runs are.
    """
    names = "\n".join([*(row.key for row in rows), *(each.name for each in shown)])
    fresh = hashlib.sha256(names.encode()).hexdigest()[:16]
    wanted = set(selected)
    places = [place for place, row in enumerate(rows) if wanted >= {run.id for run in row.runs}]
    frame = results_frame(rows, shown)
    state: DataframeState = st.dataframe(
        frame,
        key=f"{key}_{fresh}",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": places, "columns": [], "cells": []}},
        column_config=_column_config(shown, frame),
        placeholder="–",
    )
    chosen = sorted(state["selection"]["rows"])
    return [rows[place] for place in chosen if place < len(rows)]


def results_frame(rows: Sequence[Row], shown: Sequence[Column]) -> pd.DataFrame:
    """One line per row; accuracies in per cent, None where a number is not known (yet)."""
    import pandas as pd  # takes seconds at first: only the page that shows a table pays

    lines = [
        {CURVE: _curve(row)} | {each.title: _scaled(line[each.name], each) for each in shown}
        for row, line in zip(rows, cells(rows, shown), strict=True)
    ]
    return pd.DataFrame(lines, columns=[*_first_and_rest(shown)])


def _first_and_rest(shown: Sequence[Column]) -> list[str]:
    """The titles, with the curve behind the first of them."""
    titles = [each.title for each in shown]
    return [*titles[:1], CURVE, *titles[1:]]


def _scaled(value: Any, shown: Column) -> Any:
    return 100 * value if shown.kind == "percent" and value is not None else value


def _curve(row: Row) -> list[float]:
    """Validation accuracy of the first run, epoch by epoch, in per cent; one epoch is no curve."""
    told = row.epochs[0] if row.epochs else ()
    curve = [100 * epoch.val_accuracy for epoch in told if epoch.val_accuracy is not None]
    return curve if len(curve) > 1 else []


def text_width(words: Sequence[str]) -> int:
    """Pixels for the longest of a column's words; Streamlit looks at those of the first rows."""
    narrowest, widest = _TEXT_PIXELS
    longest = max(map(len, words), default=0)
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
        CURVE, help="Validation accuracy after each epoch, of the first seed", width="small"
    )
    return config | {CURVE: curve}


_FORMATS = {
    "percent": "%.2f %%",
    "loss": "%.4f",
    "count": "localized",
    "seconds": "%.1f",
    "rate": "%d",
}

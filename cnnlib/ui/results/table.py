"""The results table of the page: its view, its rows, and what the person searches and chooses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.compare.columns import COLUMN_PRESETS, COLUMNS, Column, column, columns
from cnnlib.compare.rows import Row
from cnnlib.ui.common.browser_component import Component
from cnnlib.ui.common.urls import put_runs_in_address, runs_in_address
from cnnlib.ui.results.table_data import table_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.compare.results_table import ResultsTable

_table = Component("results_table", "results/table.js")

SEARCH = "results_search"  # session key: the text of the search
_PRESET_TITLES = {
    "results": "Accuracy",
    "course texts": "Table of the course texts",
    "cost": "Cost",
    "learning": "Training",
}


@dataclass(frozen=True)
class View:
    """Settings of the table.

    Args:
        columns: For an export: an interval has columns of its own.
        drawn: The columns on the page, where the accuracy is drawn with its interval.
        each_seed: Whether there is one row per run.
        hidden: Whether hidden rows are shown.
    """

    columns: tuple[Column, ...]
    drawn: tuple[Column, ...]
    each_seed: bool
    hidden: bool


def view_controls(each_seed: bool) -> View:
    """Show the menu of the view: columns, one row per design or per run, hidden rows.

    Args:
        each_seed: Default of the toggle that shows one row per run.
    """
    with st.popover("View", icon=":material/tune:", key="results_menu"):
        preset = st.selectbox(
            "Columns",
            [*COLUMN_PRESETS, "own choice"],
            format_func=lambda name: _PRESET_TITLES.get(name, "Custom"),
            key="results_preset",
            persist_state="session",
        )
        chosen = _choose_columns(preset)
        each = st.toggle("Each seed", value=each_seed, key="results_each", help=_EACH_HELP)
        hidden = st.toggle("Hidden rows", key="results_hidden", help=_HIDDEN_HELP)
    drawn = columns(_DRAWN) if preset == "results" else chosen
    return View(chosen, drawn, each, hidden)


_DRAWN = (
    *("name", "dataset", "trained_on", "val_accuracy", "test_accuracy", "params", "macs"),
    *("seconds", "state"),
)
_EACH_HELP = "One row per run. When off, runs that differ only in their seed share one row."
_HIDDEN_HELP = "Also shows the rows that you have hidden."


def _choose_columns(preset: str) -> tuple[Column, ...]:
    if preset != "own choice":
        return columns(COLUMN_PRESETS[preset])
    names = st.multiselect(
        "Show",
        list(COLUMNS),
        default=list(_DRAWN),
        format_func=lambda name: COLUMNS[name].title,
        key="results_columns",
    )
    goal = st.number_input(
        "Time to accuracy (%)", *(0.0, 100.0, 0.0, 1.0), key="results_goal", help=_GOAL_HELP
    )
    selected = columns(["name", *(name for name in names if name != "name")])
    return (*selected, column(f"seconds_to_{goal:g}")) if goal else selected


_GOAL_HELP = (
    "Adds a column: the training time until the validation accuracy first reached this value. "
    "0 adds no column."
)


def rows_of_view(table: ResultsTable, view: View) -> tuple[list[Row], list[Row]]:
    """Return the rows of a view, sorted by validation accuracy, and those that the search finds."""
    rows = table.arrange(_all_rows(table.version(), table), hidden=view.hidden, search="")
    found = table.found(rows, st.session_state.get(SEARCH, ""))
    if not view.each_seed:
        return rows, found
    each, of_found = (
        [single for row in some for single in rows_per_run(row)] for some in (rows, found)
    )
    return each, of_found


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
            row.search_text,
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


def results_table(
    rows: Sequence[Row], found: Sequence[Row], drawn: Sequence[Column], *, key: str
) -> list[Row]:
    """Show the table; return the found rows whose runs are all in the page's address.

    A row that the person chooses puts its runs there, and stays chosen while a search leaves it
    out.

    Args:
        rows: All rows of the view: the browser has them, so that a search answers at once.
        found: Those that the search finds.
    """
    wanted = set(runs_in_address())
    chosen = [row for row in found if wanted >= {run.id for run in row.runs}]

    def choose() -> None:
        match st.session_state[key].get("chosen"):
            case {"keys": [*keys]}:
                shown = {run.id for row in found for run in row.runs}
                kept = [run_id for run_id in runs_in_address() if run_id not in shown]
                taken = [run.id for row in found if row.key in keys for run in row.runs]
                put_runs_in_address([*taken, *kept])

    def search() -> None:
        match st.session_state[key].get("searched"):
            case {"text": str(text)}:
                st.session_state[SEARCH] = text[:_LONGEST_SEARCH]

    data = table_data(rows, found, drawn, chosen, st.session_state.get(SEARCH, ""))
    _table(data, key=key, on_chosen_change=choose, on_searched_change=search)
    return chosen


_LONGEST_SEARCH = 500

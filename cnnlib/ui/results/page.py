"""The Results page: the table of trained designs, duels, and experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.compare.results_table import ResultsTable
from cnnlib.compare.rows import best_of_sentence
from cnnlib.experiments.study import advance_studies
from cnnlib.records.run import LIVE_STATES
from cnnlib.ui.common.format import escape_markdown
from cnnlib.ui.common.messages import fragment, show_not_found
from cnnlib.ui.common.shared import run_store
from cnnlib.ui.common.urls import RESULTS, TRAIN, runs_in_address
from cnnlib.ui.results.actions import export_menu, import_menu, row_menu, show_notes, show_trash
from cnnlib.ui.results.charts import charts
from cnnlib.ui.results.duel_view import show_duels
from cnnlib.ui.results.experiment_view import show_experiments
from cnnlib.ui.results.sections import choose_section
from cnnlib.ui.results.table import has_partial_row, results_table, rows_of_view, view_controls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamlit.delta_generator import DeltaGenerator

REFRESH_SECONDS = 2.0  # while any run is live


def show() -> None:
    """Show the page."""
    st.title("Results")
    with st.container(horizontal=True, vertical_alignment="center", key="results_top"):
        section = choose_section()
        st.space("stretch")
        menus = st.container(horizontal=True, width="content", key="results_menus")
    match section:
        case "duel":
            show_duels()
        case "experiment":
            show_experiments()
        case _:
            show_table(menus)


def redirect(section: str) -> None:
    """Lead an address of an earlier version to this page: ``/compare?duel=...``.

    Args:
        section: ``"duel"`` or ``"experiment"``.
    """
    query: Mapping[str, str] = {section: st.query_params.get(section, "")}
    st.switch_page(RESULTS, query_params=query if query[section] else {"view": section})


def show_table(menus: DeltaGenerator) -> None:
    """Show the table of all runs, what can be done with its rows, and charts of the chosen ones.

    Args:
        menus: Container of the menus of the table.
    """
    store = run_store()
    if not store.runs(limit=1):
        st.write("No runs yet. Every network that you train gets a row here.")
        st.page_link(TRAIN, label="Train a network", icon=":material/arrow_forward:")
        with menus:
            import_menu()
        return
    table = ResultsTable(store)
    any_live = bool(store.runs(limit=1, states=LIVE_STATES))
    with menus:
        view = view_controls(has_partial_row(table, runs_in_address()))
        import_menu()
    _show_unknown(runs_in_address())

    def results() -> None:
        """Show the table, and the charts of the selected rows."""
        if any_live and not store.runs(limit=1, states=LIVE_STATES):
            st.rerun()  # the last live run ended: stop the refresh
        advance_studies(store)
        rows, found = rows_of_view(table, view)
        selected = results_table(rows, found, view.drawn, key="results_table")
        with st.container(horizontal=True, vertical_alignment="center", key="results_actions"):
            if selected:
                row_menu(table, selected)
                ids = [run.id for row in selected for run in row.runs]
                if st.button("Open in Train", icon=":material/show_chart:", key="results_open"):
                    st.switch_page(TRAIN, query_params={"run": ids})
            else:
                st.caption("Select a row to see its curves, or several to compare them.")
            export_menu(selected or found, view.columns)
        show_trash(table)
        if note := best_of_sentence(found):
            st.caption(escape_markdown(note))
        if selected:
            show_notes(table, selected)
            charts(selected)

    fragment(results, run_every=REFRESH_SECONDS if any_live else None)()


def _show_unknown(run_ids: list[str]) -> None:
    """Say which run of the address there is not."""
    known = {run.id for run in run_store().runs()} if run_ids else set()
    if unknown := [run_id for run_id in run_ids if run_id not in known]:
        show_not_found("run", unknown[0])

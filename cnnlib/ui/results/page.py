"""The Results page: the table of trained designs, and charts of the selected rows."""

from __future__ import annotations

import streamlit as st

from cnnlib.compare.load_rows import best_of_sentence
from cnnlib.compare.results_table import ResultsTable
from cnnlib.experiments.study import advance_studies
from cnnlib.records.run import LIVE_STATES
from cnnlib.ui.common.format import escape_markdown
from cnnlib.ui.common.messages import fragment
from cnnlib.ui.common.shared import run_store
from cnnlib.ui.common.urls import TRAIN, put_runs_in_address, runs_in_address
from cnnlib.ui.results.actions import export_menu, import_menu, row_menu, show_notes, show_trash
from cnnlib.ui.results.charts import charts
from cnnlib.ui.results.table import has_partial_row, selectable_table, shown_rows, view_controls

REFRESH_SECONDS = 2.0  # while any run is live


def show() -> None:
    """Show the page."""
    st.title("Results")
    store = run_store()
    if not store.runs(limit=1):
        st.write("No runs yet. Every network that you train gets a row here.")
        st.page_link(TRAIN, label="Train a network", icon=":material/arrow_forward:")
        import_menu()
        st.stop()
    table = ResultsTable(store)
    view = view_controls(has_partial_row(table, runs_in_address()))
    any_live = bool(store.runs(limit=1, states=LIVE_STATES))

    def results() -> None:
        """Show the table, and the charts of the selected rows."""
        if any_live and not store.runs(limit=1, states=LIVE_STATES):
            st.rerun()  # the last live run ended: stop the refresh
        advance_studies(store)
        rows = shown_rows(table, view)
        selected = selectable_table(rows, view.columns, runs_in_address(), key="results_table")
        ids = [run.id for row in selected for run in row.runs]
        put_runs_in_address(ids)
        with st.container(horizontal=True, vertical_alignment="center"):
            export_menu(rows, view.columns)
            import_menu()
            if selected:
                row_menu(table, selected)
                if st.button("Open in Train", icon=":material/show_chart:", key="results_open"):
                    st.switch_page(TRAIN, query_params={"run": ids})
        show_trash(table)
        if note := best_of_sentence(rows):
            st.caption(escape_markdown(note))
        if not selected:
            st.caption("Select a row to see its curves, or several to compare them.")
        else:
            show_notes(table, selected)
            charts(selected)

    fragment(results, run_every=REFRESH_SECONDS if any_live else None)()

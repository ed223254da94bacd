"""Results: every run with its numbers; the curves of those that are selected, over each other."""

import streamlit as st

from cnnlib.ui.addresses import TRAIN, put_runs_in_address, runs_in_address
from cnnlib.ui.live_chart import live_chart
from cnnlib.ui.resources import run_store
from cnnlib.ui.results_table import selectable_table

REFRESH_SECONDS = 2.0  # while some run goes on

st.title("Results")
runs = run_store().runs()
if not runs:
    st.write("No run yet. Every network that is trained gets a row here.")
    st.page_link(TRAIN, label="Train one", icon=":material/arrow_forward:")
    st.stop()


def results() -> None:
    """The table, and the curves of the selected rows."""
    now = run_store().runs()
    if goes_on and not any(run.is_live for run in now):
        st.rerun()  # the last one ended: no more looking every two seconds
    st.caption("The newest first. Select rows to lay their curves over each other.")
    ids = selectable_table(now, runs_in_address(), key="results_table")
    put_runs_in_address(ids)
    selected = [run for run in now if run.id in ids]
    if selected:
        if st.button("Open in Train", icon=":material/show_chart:", key="results_open"):
            st.switch_page(TRAIN, query_params={"run": ids})
        live_chart(selected, key="results_live", status=False)


goes_on = any(run.is_live for run in runs)
st.fragment(results, run_every=REFRESH_SECONDS if goes_on else None)()

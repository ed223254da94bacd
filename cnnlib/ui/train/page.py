"""The Train page: the form that submits runs, or the panel of the runs in the address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.errors import StoreError
from cnnlib.records.run import LIVE_STATES
from cnnlib.ui.common.messages import show_not_found
from cnnlib.ui.common.shared import run_store
from cnnlib.ui.common.urls import (
    RESULTS,
    TRAIN,
    in_address,
    put_runs_in_address,
    runs_in_address,
)
from cnnlib.ui.train.request_form import request_form
from cnnlib.ui.train.run_panel import run_panel

if TYPE_CHECKING:
    from cnnlib.runs import RunStore


def _show_runs(store: RunStore, run_ids: Sequence[str]) -> None:
    """Show the runs that exist; one that does not exist is a warning with links to others."""
    runs, missing = [], []
    for run_id in run_ids:
        try:
            runs.append(store.run(run_id))
        except StoreError:
            missing.append(run_id)
    if not runs:
        st.title("Train")
    for run_id in missing:
        show_not_found("run", run_id)
    if runs:
        run_panel(runs)
        return
    with st.container(horizontal=True):
        if st.button("Train a network", icon=":material/add:", key="train_new", type="primary"):
            st.switch_page(TRAIN, query_params={"dataset": ""})
        if st.button("See all results", icon=":material/table_rows:", key="train_all_results"):
            st.switch_page(RESULTS)


def show() -> None:
    """Show the page."""
    store = run_store()
    run_ids = runs_in_address()
    if not run_ids and not any(map(in_address, ("design", "dataset", "recipe"))):
        # Opened by its plain address: show the run that is live now.
        run_ids = [run.id for run in store.runs(limit=1, states=LIVE_STATES)]
        put_runs_in_address(run_ids)
    if run_ids:
        _show_runs(store, run_ids)
        st.stop()
    st.title("Train")
    submitted = request_form(store.runs(limit=50))
    if submitted:
        put_runs_in_address(submitted)
        st.rerun()

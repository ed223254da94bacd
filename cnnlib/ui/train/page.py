"""Train: choose a design, a dataset and a recipe; then watch the training and steer it."""

from __future__ import annotations

import streamlit as st

from cnnlib.errors import StoreError
from cnnlib.records.run import LIVE_STATES
from cnnlib.ui.common.messages import show_error
from cnnlib.ui.common.shared import run_store
from cnnlib.ui.common.urls import (
    dataset_in_address,
    design_in_address,
    put_runs_in_address,
    runs_in_address,
)
from cnnlib.ui.train.request_form import request_form
from cnnlib.ui.train.run_panel import run_panel


def show() -> None:
    """Show the page."""
    store = run_store()
    run_ids = runs_in_address()
    asked_for = run_ids or design_in_address() or dataset_in_address()
    if not asked_for:  # opened by its plain address: what goes on now?
        run_ids = [run.id for run in store.runs(limit=1, states=LIVE_STATES)]
        put_runs_in_address(run_ids)
    if run_ids:
        try:
            run_panel([store.run(run_id) for run_id in run_ids])
        except StoreError as error:
            show_error(error)
        st.stop()
    st.title("Train")
    started = request_form(store.runs(limit=50))
    if started:
        put_runs_in_address(started)
        st.rerun()

"""The Experiments page: grids and searches over settings, and their results."""

from __future__ import annotations

import streamlit as st

from cnnlib.ui.results.experiment_form import experiment_form
from cnnlib.ui.results.experiment_view import experiment_view, past_experiments


def show() -> None:
    """Show the page."""
    st.title("Experiments")
    experiment = st.query_params.get("experiment")
    if experiment:
        experiment_view(experiment)
        if st.button("Another experiment", icon=":material/add:", key="experiments_another"):
            del st.query_params["experiment"]
            st.rerun()
    elif started := experiment_form():
        st.query_params["experiment"] = started
        st.rerun()
    past_experiments(experiment)

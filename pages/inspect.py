"""Inspect: look inside a trained network, at any moment of its training."""

import streamlit as st

from cnnlib.ui.addresses import TRAIN
from cnnlib.ui.inspect_panels import inspect_run
from cnnlib.ui.resources import run_store

st.title("Inspect")
runs = run_store().runs()
if not runs:
    st.write("No run yet. Train a network, and then look inside it here.")
    st.page_link(TRAIN, label="Train one", icon=":material/arrow_forward:")
    st.stop()
inspect_run(runs)

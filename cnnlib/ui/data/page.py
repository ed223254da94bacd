"""Data page: the datasets, their pictures and statistics, and uploads."""

from __future__ import annotations

import streamlit as st

from cnnlib.data.catalogue import catalogue
from cnnlib.ui.common.pickers.dataset_picker import show_facts
from cnnlib.ui.common.shared import available_datasets, folders
from cnnlib.ui.data.choice import choose_dataset, dataset_table
from cnnlib.ui.data.files import preparation, removal, show_notice, training_link, upload
from cnnlib.ui.data.folders import folders_panel, survey_of
from cnnlib.ui.data.view import dataset_view


def show() -> None:
    """Show the page."""
    st.title("Data")
    show_notice()
    infos = available_datasets(catalogue(folders()))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        info = choose_dataset(infos)
        if info.state == "prepared":
            training_link(info)
        removal(info)
    show_facts(info)
    survey = survey_of(info)
    if info.classes:
        preparation(info)
    upload()
    if survey is not None:
        folders_panel(info, survey)
    if info.state == "prepared":
        dataset_view(info)
    dataset_table(infos)

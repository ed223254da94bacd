"""Data: what there is to train on, what it looks like, and people's own pictures."""

from __future__ import annotations

import streamlit as st

from cnnlib.data.catalogue import catalogue
from cnnlib.ui.common.format import escape_markdown
from cnnlib.ui.common.pickers.dataset_picker import describe_dataset
from cnnlib.ui.common.shared import folders
from cnnlib.ui.data.choice import choose, overview
from cnnlib.ui.data.files import preparation, removal, say_notice, training_link, upload
from cnnlib.ui.data.view import dataset_view


def show() -> None:
    """Show the page."""
    st.title("Data")
    say_notice()
    infos = catalogue(folders())
    upload()
    overview(infos)
    info = choose(infos)
    st.caption(escape_markdown(describe_dataset(info)))
    if info.classes:
        preparation(info)
    if info.state == "prepared":
        training_link(info)
    removal(info)
    if info.state == "prepared":
        dataset_view(info)

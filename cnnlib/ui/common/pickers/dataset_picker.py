"""The dataset picker: a menu, example pictures, and a button to prepare the dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.ui.common.components import CLASSES_SHOWN, first_of_each_class, strip_html
from cnnlib.ui.common.format import dataset_menu, escape_markdown, size
from cnnlib.ui.common.job_status import job_button
from cnnlib.ui.common.messages import show_error, show_not_found, show_warning
from cnnlib.ui.common.shared import prepared
from cnnlib.ui.common.urls import DATA, in_address
from cnnlib.units import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.records.dataset import DatasetInfo


def choose_dataset(infos: Sequence[DatasetInfo], default: str) -> DatasetInfo:
    """Show a menu of datasets and a row of pictures of the chosen one, and return it.

    The page stops with an error box if the dataset cannot be used.

    Args:
        infos: The options.
        default: Name of the initial choice, if the address contains none of the options.
    """
    by_name = {info.name: info for info in infos}
    names = list(by_name)
    titles = dataset_menu(infos)
    requested = in_address("dataset")
    if requested and requested not in by_name:
        show_not_found("dataset", requested, "Choose one from the menu.")
    name = st.selectbox(
        "Dataset",
        names,
        index=names.index(requested if requested in by_name else default),
        format_func=titles.__getitem__,
        key=f"train_dataset_{requested}" if requested else "train_dataset",
        persist_state="session",
    )
    info = by_name[name]
    if not info.classes or info.question:
        show_error(info.question or info.note)
        if info.question:
            st.page_link(
                DATA,
                label="Decide on the Data page",
                icon=":material/account_tree:",
                query_params={"dataset": info.name},
            )
        st.stop()
    show_facts(info)
    if info.state == "prepared":
        st.html(picture_strip(info.name, info.fingerprint))
    else:
        _show_preparation(info)
    return info


def show_facts(info: DatasetInfo) -> None:
    """Show the description of a dataset and what it warns of, or why it cannot be used."""
    if not info.classes and not info.question:
        show_error(info.note)
        return
    st.caption(escape_markdown(describe_dataset(info)))
    show_dataset_warnings(info)


def show_dataset_warnings(info: DatasetInfo) -> None:
    """Show what makes a result with this dataset worth less, if anything does."""
    if info.warnings:
        show_warning(" ".join(info.warnings))


def describe_dataset(info: DatasetInfo) -> str:
    """Return classes, size, split and note of a dataset in one line."""
    parts = [f"{plural(len(info.classes), 'class')}, {size(info.in_size)}", info.counts_text]
    return ". ".join(part for part in (*parts, info.note.rstrip(".")) if part) + "."


@st.cache_data(show_spinner=False, max_entries=32)
def picture_strip(name: str, fingerprint: str) -> str:
    """Return the HTML of one training picture of each class, for the first twelve classes."""
    data = prepared(name, fingerprint)
    shown = first_of_each_class(data.train_labels, min(CLASSES_SHOWN, len(data.info.classes)))
    names = [data.info.classes[data.train_labels[index]] for index in shown]
    pictures = [data.train_images[index] for index in shown]
    return strip_html(pictures, names, in_one_row=True)


def _show_preparation(info: DatasetInfo) -> None:
    """Show a button that prepares the dataset, or the progress of its preparation."""
    job_button(
        "prepare",
        {"name": info.name},
        {"here": "Prepare now", "download": "Download now"}[info.state],
        icon=":material/download:",
        key="train_prepare",
        help="Optional: a training run prepares the dataset first if this is not done yet.",
    )

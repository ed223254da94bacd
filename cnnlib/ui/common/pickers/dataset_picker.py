"""Choosing a dataset: what there is, what its pictures look like, and getting it ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.ui.common.format import count, distinct, escape_markdown, size
from cnnlib.ui.common.job_status import is_watched
from cnnlib.ui.common.messages import show_error, show_warning
from cnnlib.ui.common.permissions import attempt
from cnnlib.ui.common.shared import prepared, run_store
from cnnlib.ui.common.thumbnails import CLASSES_SHOWN, first_of_each_class, strip_html
from cnnlib.ui.common.urls import dataset_in_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.records.dataset import DatasetInfo


def choose_dataset(infos: Sequence[DatasetInfo], default: str) -> DatasetInfo:
    """A menu of datasets, with a row of pictures of the one that is chosen.

    The page stops with a sentence where its pictures cannot be used.

    Args:
        default: Name of the one that is chosen at first, where the address names none of them.
    """
    by_name = {info.name: info for info in infos}
    names = list(by_name)
    titles = distinct({info.name: info.title for info in infos})
    asked = dataset_in_address()
    if asked and asked not in by_name:
        show_warning(f"The address asks for the dataset {asked!r}, which is not here.")
    name = st.selectbox(
        "Dataset",
        names,
        index=names.index(asked if asked in by_name else default),
        format_func=titles.__getitem__,
        key=f"train_dataset_{asked}" if asked else "train_dataset",
        persist_state="session",
    )
    info = by_name[name]
    if not info.classes:
        show_error(info.note)
        st.stop()
    st.caption(escape_markdown(describe_dataset(info)))
    if info.state == "prepared":
        st.html(picture_strip(info.name, info.fingerprint))
    else:
        _preparation(info)
    return info


def describe_dataset(info: DatasetInfo) -> str:
    """Size, split and where it comes from, in one line."""
    parts = [f"{len(info.classes)} classes, {size(info.in_size)}"]
    if info.train_count:
        parts.append(f"{count(info.train_count)} to train, {count(info.test_count)} to test")
    if info.note:
        parts.append(info.note.rstrip("."))
    return ". ".join(parts) + "."


@st.cache_data(show_spinner=False, max_entries=32)
def picture_strip(name: str, fingerprint: str) -> str:
    """One training picture of each class as HTML, the first dozen classes."""
    data = prepared(name, fingerprint)
    shown = first_of_each_class(data.train_labels, min(CLASSES_SHOWN, len(data.info.classes)))
    names = [data.info.classes[data.train_labels[index]] for index in shown]
    return strip_html([data.train_images[index] for index in shown], names)


def _preparation(info: DatasetInfo) -> None:
    """A button that prepares the dataset, or how far that is."""
    args = {"name": info.name}
    if is_watched(run_store().latest_job("prepare", args), key="train_prepare"):
        return
    words = {"here": "Prepare it now", "download": "Download it now"}[info.state]
    st.button(
        words,
        icon=":material/download:",
        key="train_prepare",
        on_click=attempt,
        args=(run_store().submit_job, "prepare", args),
        help="Training does this by itself where you do not.",
    )

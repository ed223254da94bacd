"""Choosing a dataset: what there is, what its pictures look like, and getting it ready."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.job import Job
from cnnlib.ui.addresses import dataset_in_address
from cnnlib.ui.pictures import CLASSES_SHOWN, first_of_each_class, strip_html
from cnnlib.ui.resources import prepared, run_store
from cnnlib.ui.rights import attempt, stop_button
from cnnlib.ui.words import count, duration, size

_LOOK_SECONDS = 0.5  # between two looks at a preparation


def choose_dataset(infos: Sequence[DatasetInfo], default: str) -> DatasetInfo:
    """A menu of datasets, with a row of pictures of the one that is chosen.

    The page stops with a sentence where its pictures cannot be used.

    Args:
        default: Name of the one that is chosen at first, where the address names none of them.
    """
    by_name = {info.name: info for info in infos}
    names = list(by_name)
    asked = dataset_in_address()
    if asked and asked not in by_name:
        st.warning(f"The address asks for the dataset {asked!r}, which is not here.")
    name = st.selectbox(
        "Dataset",
        names,
        index=names.index(asked if asked in by_name else default),
        format_func=lambda name: by_name[name].title,
        key=f"train_dataset_{asked}" if asked else "train_dataset",
        persist_state="session",
    )
    info = by_name[name]
    if not info.classes:
        st.error(info.note, icon=":material/error:")
        st.stop()
    st.caption(describe_dataset(info))
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
    jobs = [job for job in run_store().jobs() if job.kind == "prepare" and job.args == _args(info)]
    if jobs and jobs[0].is_live:
        st.fragment(_watch, run_every=_LOOK_SECONDS)(jobs[0].id)
        return
    if jobs and jobs[0].state == "failed":
        st.error(jobs[0].reason, icon=":material/error:")
    words = {"here": "Prepare it now", "download": "Download it now"}[info.state]
    st.button(
        words,
        icon=":material/download:",
        key="train_prepare",
        on_click=lambda: attempt(run_store().submit_job, "prepare", _args(info)),
        help="Training does this by itself where you do not.",
    )


def _args(info: DatasetInfo) -> dict[str, str]:
    return {"name": info.name}


def _watch(job_id: str) -> None:
    """How far a preparation is; the page follows when it is over."""
    job = run_store().job(job_id)
    if not job.is_live:
        st.rerun()
    st.progress(job.progress, text=_progress_words(job))
    stop_button(job, key="train_stop_prepare")


def _progress_words(job: Job) -> str:
    left = "" if job.eta_seconds is None else f", about {duration(job.eta_seconds)} left"
    return f"{job.text or 'Waiting for a worker'}{left}"

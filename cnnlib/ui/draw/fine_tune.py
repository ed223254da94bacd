"""The fine-tuning section: label drawings, collect them, and train a network on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.data.drawings import collection_name, drawings_zip, save_drawing, saved_drawings
from cnnlib.runs.access.dataset_owners import record_dataset_owner
from cnnlib.train.submit import submit_fine_tuning
from cnnlib.ui.common.format import STATE_LABELS, dataset_label, escape_markdown
from cnnlib.ui.common.job_status import show_job_progress
from cnnlib.ui.common.messages import fragment
from cnnlib.ui.common.permissions import attempt
from cnnlib.ui.common.shared import folders, prepared, run_store
from cnnlib.ui.common.urls import DATA, TRAIN
from cnnlib.units import percent, plural

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from cnnlib.records.drawing import PreparedDrawing
    from cnnlib.records.run import Run
    from cnnlib.ui.draw.networks import Classifier

_NOTICE = "draw_notice"


def fine_tune_section(classifier: Classifier, picture: PreparedDrawing) -> None:
    """Show the form that saves a labelled drawing, and the actions on the saved drawings.

    The expander is closed while none is saved: on a phone it lies between the pad and the answer.
    """
    saved_count = len(saved_drawings(classifier.info, folders(), run_store().owner))
    with st.expander(
        "Wrong? Fine-tune the network",
        icon=":material/school:",
        expanded=saved_count > 0,
        key="draw_teaching",
    ):
        _save_form(classifier, picture)
        if notice := st.session_state.pop(_NOTICE, ""):
            st.caption(escape_markdown(notice))
        if saved_count:
            _collection_actions(classifier, saved_count)
        show_fine_tuned_runs(classifier)


def _save_form(classifier: Classifier, picture: PreparedDrawing) -> None:
    """Show the menu of classes and the button that saves the drawing."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        classes = classifier.info.classes
        label = st.selectbox(
            "True class",
            range(len(classes)),
            format_func=classes.__getitem__,
            key="draw_label",
            width=140,
        )
        st.button(
            "Save drawing",
            icon=":material/bookmark_add:",
            key="draw_keep",
            disabled=picture.is_empty,
            on_click=attempt,
            args=(_save, classifier, picture.picture, label),
        )


def show_fine_tuned_runs(classifier: Classifier) -> None:
    """Show the runs that were fine-tuned from this one, each with its gain or its state."""
    for run in run_store().runs(limit=200):
        origin = run.request.origin
        if origin is None or not origin.weights_only or origin.run_id != classifier.run.id:
            continue
        st.page_link(TRAIN, label=escape_markdown(run.title), query_params={"run": run.id})
        if run.state == "finished":
            _show_gain(run)
        elif run.is_live:
            fragment(_show_live_state, run_every=2.0)(run.id)
        else:
            st.caption(STATE_LABELS[run.state])


def describe_gain(result: Mapping[str, Any]) -> str:
    """Describe the accuracy before and after fine-tuning, on drawings and on the test split.

    Args:
        result: Of a job of the kind "taught".
    """
    parts = []
    for name, label in (("trained on", "used for training"), ("kept apart", "held out")):
        scores = result[name]
        if scores["count"]:
            drawings = plural(scores["count"], "drawing")
            parts.append(f"{_before_and_after(scores)} of {drawings} {label}")
    test = result["test"]
    if test["count"]:
        points = 100 * (test["after"] - test["before"])
        parts.append(
            f"{_before_and_after(test)} of {plural(test['count'], 'test picture')} of the original "
            f"dataset ({points:+.2f} percentage points)"
        )
    return f"Accuracy before → after fine-tuning: {'; '.join(parts)}."


def _before_and_after(scores: Mapping[str, Any]) -> str:
    return f"{percent(scores['before'])} → {percent(scores['after'])}"


def _save(classifier: Classifier, picture: np.ndarray, label: int) -> None:
    store = run_store()
    save_drawing(picture, label, classifier.info, folders(), store.owner)
    record_dataset_owner(store, collection_name(classifier.info.name, store.owner))
    st.session_state[_NOTICE] = f"Saved as {classifier.info.classes[label]}."


def _collection_actions(classifier: Classifier, saved_count: int) -> None:
    """Show the number of saved drawings, and buttons to fine-tune, download and view."""
    owner = run_store().owner
    title = dataset_label(classifier.info.name, classifier.info.title)
    st.caption(
        f"{plural(saved_count, 'drawing')} saved for {escape_markdown(title)}. "
        "Fine-tuning trains the network on your drawings and on some pictures of the original "
        "dataset, so that it does not forget them. Every 4th drawing of a class is held out to "
        "measure the gain."
    )
    with st.container(horizontal=True):
        st.button(
            "Fine-tune the network",
            icon=":material/school:",
            key="draw_teach",
            on_click=attempt,
            args=(_start_fine_tuning, classifier),
        )
        st.download_button(
            "Download",
            lambda: drawings_zip(classifier.info, folders(), owner),
            file_name=f"{collection_name(classifier.info.name, owner).removeprefix('folder:')}.zip",
            mime="application/zip",
            icon=":material/download:",
            key="draw_download",
        )
        st.page_link(
            DATA,
            label="Show the drawings",
            icon=":material/photo_library:",
            query_params={"dataset": collection_name(classifier.info.name, owner)},
        )


def _start_fine_tuning(classifier: Classifier) -> None:
    """Make the dataset of the saved drawings and submit a training run on it."""
    original = prepared(classifier.info.name, classifier.info.fingerprint)
    submit_fine_tuning(run_store(), classifier.run, classifier.saved_step.step, original)
    st.session_state[_NOTICE] = "The fine-tuning run is in the queue. The link to it is below."


def _show_gain(run: Run) -> None:
    """Show the gain of a fine-tuned run; submit the job that measures it if there is none."""
    args = {"run": run.id}
    job = run_store().jobs.latest("taught", args)
    if job is None or job.state == "stopped":  # never submitted, or stopped by a shutdown
        job = run_store().jobs.find(run_store().jobs.submit("taught", args))
    if show_job_progress(job, key=f"draw_taught_{run.id}"):
        return
    if job.state == "done":
        st.markdown(describe_gain(job.result))


def _show_live_state(run_id: str) -> None:
    run = run_store().run(run_id)
    if not run.is_live:
        st.rerun()
    st.caption(STATE_LABELS[run.state])

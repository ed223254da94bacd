"""Wrong? Teach it: name the class of a drawing, collect them, and train a network on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.data.drawings import collection_name, drawings_zip, save_drawing, saved_drawings
from cnnlib.data.labelled_drawings import fine_tune_request, make_fine_tune_dataset
from cnnlib.runs.dataset_owners import record_dataset_owner
from cnnlib.ui.common.format import STATE_LABELS, count, escape_markdown
from cnnlib.ui.common.job_status import is_watched
from cnnlib.ui.common.messages import fragment
from cnnlib.ui.common.permissions import attempt
from cnnlib.ui.common.shared import folders, prepared, run_store
from cnnlib.ui.common.submit import submit
from cnnlib.ui.common.urls import DATA, TRAIN
from cnnlib.units import percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from cnnlib.records.drawing import PreparedDrawing
    from cnnlib.records.run import Run
    from cnnlib.ui.draw.networks import Reader

_NOTICE = "draw_notice"


def teaching(reader: Reader, picture: PreparedDrawing) -> None:
    """Keep the drawing under its right class, and what can be done with those that were kept.

    It is closed at first: on a phone it stands between the pad and the answer.
    """
    kept = len(saved_drawings(reader.info, folders(), run_store().owner))
    with st.expander(
        "Wrong? Teach it", icon=":material/school:", expanded=kept > 0, key="draw_teaching"
    ):
        _keeping(reader, picture)
        if sentence := st.session_state.pop(_NOTICE, ""):
            st.caption(escape_markdown(sentence))
        if kept:
            _collection(reader, kept)
        lessons(reader)


def _keeping(reader: Reader, picture: PreparedDrawing) -> None:
    """Name the class, and keep the drawing."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        classes = reader.info.classes
        label = st.selectbox(
            "It is a",
            range(len(classes)),
            format_func=classes.__getitem__,
            key="draw_label",
            width=140,
        )
        st.button(
            "Keep it",
            icon=":material/bookmark_add:",
            key="draw_keep",
            disabled=picture.is_empty,
            on_click=attempt,
            args=(_keep, reader, picture.picture, label),
        )


def lessons(reader: Reader) -> None:
    """Runs that were taught from this one, and what each of them was worth."""
    for run in run_store().runs(limit=200):
        origin = run.request.origin
        if origin is None or not origin.weights_only or origin.run_id != reader.run.id:
            continue
        st.page_link(TRAIN, label=escape_markdown(run.title), query_params={"run": run.id})
        if run.state == "finished":
            _worth(run)
        elif run.is_live:
            fragment(_follow, run_every=2.0)(run.id)
        else:
            st.caption(STATE_LABELS[run.state])


def worth_words(result: Mapping[str, Any]) -> str:
    """What was gained on drawings, and what was forgotten on the test split."""
    parts = []
    for name, which in (("trained on", "learned from"), ("kept apart", "kept apart")):
        found = result[name]
        if found["count"]:
            drawings = "drawing" if found["count"] == 1 else "drawings"
            parts.append(f"on {count(found['count'])} {drawings} {which} {_change(found)}")
    test = result["test"]
    if test["count"]:
        points = 100 * (test["after"] - test["before"])
        parts.append(
            f"on {count(test['count'])} test pictures {_change(test)} ({points:+.2f} points)"
        )
    return f"Right before and after: {'; '.join(parts)}."


def _change(found: Mapping[str, Any]) -> str:
    return f"{percent(found['before'])} → {percent(found['after'])}"


def _keep(reader: Reader, picture: np.ndarray, label: int) -> None:
    store = run_store()
    save_drawing(picture, label, reader.info, folders(), store.owner)
    record_dataset_owner(store, collection_name(reader.info.name, store.owner))
    st.session_state[_NOTICE] = f"Kept as {reader.info.classes[label]}."


def _collection(reader: Reader, kept: int) -> None:
    """How many were kept, and what can be done with them."""
    owner = run_store().owner
    st.caption(
        f"{count(kept)} kept for {escape_markdown(reader.info.title)}. A lesson mixes them with "
        "pictures that the network knows, so that it does not forget those; every fourth "
        "drawing of a class is kept apart to measure the gain."
    )
    with st.container(horizontal=True):
        st.button(
            "Teach the network",
            icon=":material/school:",
            key="draw_teach",
            on_click=attempt,
            args=(_teach, reader),
        )
        st.download_button(
            "Download",
            lambda: drawings_zip(reader.info, folders(), owner),
            file_name=f"{collection_name(reader.info.name, owner).removeprefix('folder:')}.zip",
            mime="application/zip",
            icon=":material/download:",
            key="draw_download",
        )
        st.page_link(
            DATA,
            label="Look at them",
            icon=":material/photo_library:",
            query_params={"dataset": collection_name(reader.info.name, owner)},
        )


def _teach(reader: Reader) -> None:
    """Make a lesson and ask for the run; an ordinary one, in the queue."""
    known = prepared(reader.info.name, reader.info.fingerprint)
    lesson = make_fine_tune_dataset(known, folders(), owner=run_store().owner)
    record_dataset_owner(run_store(), lesson)
    submit(fine_tune_request(reader.run, reader.moment.step, lesson))
    st.session_state[_NOTICE] = "The lesson is in the queue. Its run is linked below."


def _worth(run: Run) -> None:
    """What a lesson was worth; asks for the measurement where nobody did."""
    args = {"run": run.id}
    job = run_store().latest_job("taught", args)
    if job is None or job.state == "stopped":  # nobody asked yet, or the app was shut down
        job = run_store().job(run_store().submit_job("taught", args))
    if is_watched(job, key=f"draw_taught_{run.id}"):
        return
    if job.state == "done":
        st.markdown(worth_words(job.result))


def _follow(run_id: str) -> None:
    run = run_store().run(run_id)
    if not run.is_live:
        st.rerun()
    st.caption(STATE_LABELS[run.state])

"""How a wrong answer is corrected: drawings with their class, and a network taught on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.data.drawings import collection_name, drawings_zip, save_drawing, saved_drawings
from cnnlib.records.events import Command
from cnnlib.records.run import LIVE_STATES
from cnnlib.runs.access.dataset_owners import record_dataset_owner
from cnnlib.runs.polling import metrics_since
from cnnlib.train.submit import submit_fine_tuning
from cnnlib.ui.common.format import STATE_LABELS, dataset_label, duration, escape_markdown
from cnnlib.ui.common.job_status import show_job_progress
from cnnlib.ui.common.messages import fragment
from cnnlib.ui.common.permissions import attempt, own_button, owner_note
from cnnlib.ui.common.shared import folders, prepared, run_store
from cnnlib.ui.common.urls import DATA, TRAIN
from cnnlib.ui.draw.networks import TAUGHT, network_to_teach
from cnnlib.units import percent, plural

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import numpy as np

    from cnnlib.records.drawing import PreparedDrawing
    from cnnlib.records.run import Run
    from cnnlib.ui.draw.networks import Classifier

_NOTICE = "draw_notice"
_MOST_BUTTONS = 12  # classes; more are a menu


def teaching_roles(runs: Sequence[Run]) -> dict[str, str]:
    """Say of a network and the one that was fine-tuned from it that they are before and after."""
    shown = {run.id for run in runs}
    roles: dict[str, str] = {}
    for run in runs:
        origin = run.request.origin
        if origin is not None and origin.weights_only and origin.run_id in shown:
            roles |= {origin.run_id: "before teaching", run.id: "after teaching"}
    return roles


def fine_tune_section(
    classifiers: Sequence[Classifier], pictures: Sequence[PreparedDrawing]
) -> None:
    """Show how to correct a wrong answer: the true class, teaching, and what it changed."""
    with st.container(border=True, key="draw_teaching"):
        st.header("Wrong answer? Teach the network")
        teachable: dict[str, tuple[Classifier, PreparedDrawing]] = {}
        for each, drawing in zip(classifiers, pictures, strict=True):
            original = network_to_teach(each)
            teachable.setdefault(original.run.id, (original, drawing))
        chosen = next(iter(teachable))
        if len(teachable) > 1:
            chosen = st.selectbox(
                "Network to teach",
                list(teachable),
                format_func=lambda run_id: teachable[run_id][0].run.title,
                key="draw_teach_run",
            )
        classifier, picture = teachable[chosen]
        saved_count = len(saved_drawings(classifier.info, folders(), run_store().owner))
        _teach_form(classifier, picture, saved_count)
        if notice := st.session_state.pop(_NOTICE, ""):
            st.caption(escape_markdown(notice))
        show_newest_fine_tuned(classifier, {each.run.id for each in classifiers})
        if saved_count:
            _collection_actions(classifier, saved_count)


def _teach_form(classifier: Classifier, picture: PreparedDrawing, saved_count: int) -> None:
    """Show the classes, none of them chosen, and the buttons that use the drawing."""
    label = _choose_class(classifier.info.classes)
    missing = (
        "Draw something first."
        if picture.is_empty
        else "Choose the class of the drawing first."
        if label is None
        else ""
    )
    can_teach = not missing or saved_count > 0
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Teach the network",
            icon=":material/school:",
            key="draw_teach",
            type="secondary" if missing else "primary",
            disabled=not can_teach,
            help=_TEACH_HELP if can_teach else missing,
            on_click=attempt,
            args=(_teach, classifier, picture.picture, None if missing else label),
        )
        st.button(
            "Save for later",
            icon=":material/bookmark_add:",
            key="draw_keep",
            disabled=bool(missing),
            help=missing or "Saves the drawing with its class, to teach several at once.",
            on_click=attempt,
            args=(_save, classifier, picture.picture, label),
        )


_TEACH_HELP = (
    "Saves the drawing, if its class is chosen, and trains a copy of the network on it and on all "
    "saved drawings (fine-tuning). The network itself stays as it is."
)


def _choose_class(classes: Sequence[str]) -> int | None:
    """Show the classes and return the chosen label; none is chosen before the person does."""
    labels, key = range(len(classes)), "draw_label"
    if len(classes) <= _MOST_BUTTONS:
        return st.segmented_control(
            "What is it really?", labels, format_func=classes.__getitem__, key=key
        )
    return st.selectbox(
        "What is it really?",
        labels,
        index=None,
        format_func=classes.__getitem__,
        placeholder="Choose the class",
        key=key,
    )


def show_newest_fine_tuned(classifier: Classifier, shown: Collection[str]) -> None:
    """Show the newest run that was fine-tuned from this one: its progress, or what it changed.

    When it ends while the page is open, it is shown beside this one.

    Args:
        shown: Ids of the networks whose answers are shown.
    """
    run = next(
        (each for each in run_store().runs(limit=200) if _began_with(each, classifier)), None
    )
    if run is None:
        return
    if run.is_live:
        fragment(_show_training, run_every=1.0)(run.id, classifier.run.id)
        return
    if run.state != "finished":
        st.page_link(TRAIN, label=escape_markdown(run.title), query_params={"run": run.id})
        st.caption(f"{STATE_LABELS[run.state]}. {escape_markdown(run.reason)}")
        return
    if run.id in shown:
        from cnnlib.ui.common.drawing_pad import clear  # registers itself with a running server

        st.button(
            "Next: draw it again in another way",
            icon=":material/draw:",
            key="draw_again",
            help="Clears the pad. Has the network learned the class, or only this drawing?",
            on_click=clear,
        )
    else:
        st.button(
            "Read this drawing before and after",
            icon=":material/compare:",
            key="draw_compare",
            type="primary",
            on_click=_show_both,
            args=(classifier.run.id, run.id),
        )
    _show_gain(run)
    st.page_link(TRAIN, label=escape_markdown(run.title), query_params={"run": run.id})


def _began_with(run: Run, classifier: Classifier) -> bool:
    origin = run.request.origin
    return origin is not None and origin.weights_only and origin.run_id == classifier.run.id


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
    st.session_state["draw_label"] = None
    st.session_state[_NOTICE] = f"Saved as {classifier.info.classes[label]}."


def _teach(classifier: Classifier, picture: np.ndarray, label: int | None) -> None:
    """Save the drawing if its class is chosen, and submit a training run on all saved ones."""
    if label is not None:
        _save(classifier, picture, label)
    original = prepared(classifier.info.name, classifier.info.fingerprint)
    submit_fine_tuning(run_store(), classifier.run, classifier.saved_step.step, original)


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


def _show_both(before: str, after: str) -> None:
    """Show the answers of these two networks at the next run of the page."""
    st.session_state[TAUGHT] = [before, after]


def _show_training(run_id: str, original_id: str) -> None:
    """Show how far the run is, with a Stop button; when it ends, show both networks."""
    store = run_store()
    found = metrics_since(store, run_id, after=2**31)
    if found["state"] not in LIVE_STATES:
        _show_both(original_id, run_id)
        st.rerun()
    left = "" if found["eta_seconds"] is None else f", about {duration(found['eta_seconds'])} left"
    doing = found["waits_for"] or found["phase"] or STATE_LABELS[found["state"]]
    done = found["step"] / found["total_steps"] if found["total_steps"] else 0.0
    st.progress(min(1.0, done), text=escape_markdown(f"Teaching: {doing}{left}"))
    note = owner_note(store.run(run_id).owner, "run")
    stop = (store.submit_command, run_id, Command("stop"))
    own_button("Stop", note, key="draw_teach_stop", icon=":material/stop:", action=stop)

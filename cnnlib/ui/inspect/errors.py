"""The errors panel: confusion table, misclassified pictures, and results of other runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from cnnlib.errors import ProbeError
from cnnlib.figures.inspect import calibration_figure, class_accuracy_figure
from cnnlib.probe.errors import (
    calibration,
    class_accuracy,
    confusion,
    most_confused,
    pictures_of,
    read_predictions,
)
from cnnlib.ui.common.components import confusion_table, tile_grid
from cnnlib.ui.common.format import count, escape_markdown
from cnnlib.ui.common.pickers.picture_picker import select_test_picture
from cnnlib.ui.common.shared import run_store
from cnnlib.units import percent

if TYPE_CHECKING:
    from cnnlib.records.probe import Predicted
    from cnnlib.records.run import Run
    from cnnlib.ui.inspect.selection import Subject

MOST_PICTURES = 60
MOST_OTHER_RUNS = 12


def errors_panel(subject: Subject) -> None:
    """Show the confusion table, pictures of one cell, accuracy per class and calibration."""
    found = predictions_of(subject.run)
    if found is None:
        raise ProbeError(
            "This run has no predictions for the test split. A run measures the test split when it "
            "finishes. Wait until it finishes, or choose a finished run."
        )
    names = subject.info.classes
    table = confusion(found, len(names))
    correct, total = int(table.trace()), len(found.labels)
    st.caption(
        f"Test accuracy: {percent(correct / max(total, 1))} correct ({count(correct)} of "
        f"{count(total)} test pictures, {count(total - correct)} wrong). This panel shows the "
        "predictions at the end of the run, not at the chosen step. In the confusion matrix, rows "
        "are true classes and columns are predicted classes. Click a cell, or choose it with the "
        "arrow keys and Enter, to see its pictures."
    )
    _show_table(table, names)
    _show_cell_pictures(subject, found)
    left, right = st.columns(2)
    figure = class_accuracy_figure(class_accuracy(table), names)
    left.plotly_chart(figure, key="inspect_class_accuracy")
    right.plotly_chart(calibration_figure(calibration(found)), key="inspect_calibration")


def predictions_of(run: Run) -> Predicted | None:
    """Return the predictions of a run on the test split; None if it was not measured."""
    result = run_store().result(run.id)
    if result is None or not result.predictions_file:
        return None
    path = run_store().file(run.id, result.predictions_file)
    return _read_cached(str(path), path.stat().st_mtime_ns)


@st.cache_resource(show_spinner=False, max_entries=16)
def _read_cached(path: str, written: int) -> Predicted:
    """Read predictions, cached by path and modification time in nanoseconds."""
    return read_predictions(Path(path))


def _show_table(table: np.ndarray, names: Sequence[str]) -> None:
    """Show counts or shares; a cell is chosen by a click or with the two menus."""
    keys = ("inspect_true", "inspect_predicted")
    for key, first in zip(keys, most_confused(table), strict=True):
        if st.session_state.get(key) not in names:
            st.session_state[key] = names[first]

    def choose(true: int, predicted: int) -> None:
        st.session_state["inspect_true"] = names[true]
        st.session_state["inspect_predicted"] = names[predicted]

    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        true, predicted = (
            st.selectbox(title, names, names.index(st.session_state[key]), key=key)
            for title, key in zip(("True class", "Predicted class"), keys, strict=True)
        )
        shares = st.toggle("Percentages of the true class", key="inspect_shares")
    confusion_table(
        table,
        names,
        key="inspect_table",
        chosen=(names.index(true), names.index(predicted)),
        shares=shares,
        on_pick=choose,
    )


def _show_cell_pictures(subject: Subject, found: Predicted) -> None:
    """Show the pictures of the chosen cell; a click selects one as the inspected picture."""
    names = subject.info.classes
    keys = ("inspect_true", "inspect_predicted")
    true, predicted = (names.index(st.session_state[key]) for key in keys)
    indices = pictures_of(found, true, predicted)
    heading = f"Pictures of {names[true]}, predicted as {names[predicted]}"
    st.header(f"{escape_markdown(heading)} ({count(len(indices))})")
    if not len(indices):
        st.caption("No picture is in this cell. Choose a cell that is not 0.")
        return
    indices = indices[:MOST_PICTURES]
    pictures = np.stack([np.array(subject.prepared.test_images[index]) for index in indices])
    selected = subject.picture.test_index

    def open_picture(tile: int) -> None:
        select_test_picture(int(indices[tile]))
        st.rerun()  # the whole page: the picture is outside of this fragment

    tile_grid(
        pictures[:, 0] if pictures.shape[1] == 1 else pictures,
        key="inspect_cell",
        title=heading,
        names=[f"Picture {p}, {percent(float(found.confidence[p]))} confidence" for p in indices],
        span=255.0,
        selected=int(np.flatnonzero(indices == selected)[0]) if selected in indices else -1,
        on_pick=open_picture,
        tile=64,
    )
    if selected is not None:
        _show_other_runs(subject, selected)


def _show_other_runs(subject: Subject, picture: int) -> None:
    """Show how many of the other runs classify a test picture right, and the answer of each."""
    answers = answers_of_other_runs(subject, picture)
    if not answers:
        st.caption(f"Picture {picture}: there is no other run with predictions on this dataset.")
        return
    right = sum(is_right for _, _, is_right in answers)
    with st.expander(f"Other runs on picture {picture}: {right} of {len(answers)} right"):
        st.markdown(
            "\n".join(
                f"- {escape_markdown(title)}: {escape_markdown(answer)}{' ✓' if is_right else ''}"
                for title, answer, is_right in answers
            )
        )


def answers_of_other_runs(subject: Subject, picture: int) -> list[tuple[str, str, bool]]:
    """Return title and answer of other runs for a test picture, and whether it is right."""
    answers: list[tuple[str, str, bool]] = []
    for run in run_store().runs(limit=200):
        if run.id == subject.run.id or run.fingerprint != subject.run.fingerprint:
            continue
        found = predictions_of(run)
        if found is None or len(found.labels) <= picture:
            continue
        answer, label = found.predicted[picture], found.labels[picture]
        answers.append((run.title, subject.info.classes[answer], bool(answer == label)))
        if len(answers) == MOST_OTHER_RUNS:
            break
    return answers

"""The live section of a run: predictions, layers and confusion matrix, updated every second.

While the section is closed nothing is computed and no fresh weights are requested.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from cnnlib.errors import CnnlibError, DataError, ViewerError
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.run import Run
from cnnlib.ui.common.browser_component import Component
from cnnlib.ui.common.components import confusion_table, data_uri
from cnnlib.ui.common.format import count
from cnnlib.ui.common.messages import fragment, show_warning
from cnnlib.ui.common.pickers.picture_picker import select_test_picture
from cnnlib.ui.common.pickers.run_menu import run_titles
from cnnlib.ui.common.saved_steps import (
    SavedStep,
    newest_saved_step,
    open_dataset,
    weights_may_change,
)
from cnnlib.ui.common.shared import prepared as open_prepared
from cnnlib.ui.common.shared import run_store
from cnnlib.ui.common.viewer import ask
from cnnlib.ui.train.live_layers import PAGE, layers_view
from cnnlib.units import percent

EVERY_SECONDS = 1.0
VIEW = PAGE
CLOSED, PICTURES, LAYERS, CONFUSION = "Off", "Test pictures", "Layers", "Confusion matrix"


def live_section(runs: Sequence[Run]) -> None:
    """Show the menu of views and the chosen view, which is updated until the run ends."""
    st.header("Inside the network", anchor=False)
    default = st.session_state.setdefault(VIEW, PICTURES)
    with st.container(horizontal=True, vertical_alignment="center"):
        view = st.segmented_control(
            "View of the network",
            [CLOSED, PICTURES, LAYERS, CONFUSION],
            default=default,
            key=VIEW,
            required=True,
            label_visibility="collapsed",
            wrap=True,
            persist_state="session",
        )
        run = runs[0] if len(runs) == 1 or view == CLOSED else _choose_run(runs)
    if view == CLOSED:
        when = "during training" if run.is_live else "of the last saved step"
        st.caption(f"Choose a view to watch predictions, filters and feature maps {when}.")
        return
    fragment(_show_view, run_every=EVERY_SECONDS if weights_may_change(run) else None)(run.id, view)


def _choose_run(runs: Sequence[Run]) -> Run:
    titles = run_titles(runs, lambda run: run.title)
    selected = st.selectbox(
        "Run",
        titles,
        key="train_look_run",
        format_func=titles.__getitem__,
        label_visibility="collapsed",
        width=320,
    )
    return next(run for run in runs if run.id == selected)


def _show_view(run_id: str, view: str) -> None:
    """Show a view once; a warning replaces it if its weights or pictures are missing."""
    try:
        _VIEWS[view](run_store().run(run_id))
    except ViewerError:
        raise
    except CnnlibError as error:
        show_warning(error, ":material/visibility_off:")


def _show_pictures(run: Run) -> None:
    """Show a strip of test pictures, each with the network's prediction."""
    saved_step = _load_saved_step(run)
    if saved_step is None:
        return
    data = open_dataset(run)
    strip = choose_strip(
        run.request.dataset, run.fingerprint, strip_size(run.plan_cost.get("macs", 0))
    )
    if not strip.indices:
        st.caption("This dataset has no test pictures.")
        return
    images = np.array(data.test_images[list(strip.indices)])
    probabilities = ask("class_probabilities", saved_step.source, data.info, images)

    def pick(place: int) -> None:
        select_test_picture(strip.indices[place], PAGE)
        st.session_state[VIEW] = LAYERS
        st.rerun()  # the whole page: the menu of views is outside this fragment

    shown = build_strip_data(strip, probabilities, data.info, saved_step.step)
    show_strip(shown, key=f"train_strip_{run.id}", on_pick=pick)


def _show_layers(run: Run) -> None:
    """Show filters and feature maps of a layer, for one picture."""
    saved_step = _load_saved_step(run)
    if saved_step is None:
        return
    layers_view(run, saved_step, open_dataset(run))


def _load_saved_step(run: Run) -> SavedStep | None:
    """Return the newest weights; before there are any, show a caption and return None."""
    saved_step = newest_saved_step(run)
    if saved_step is None:
        st.caption(
            "The first weights appear with the first step."
            if run.is_live
            else "This run ended before it saved any weights."
        )
    return saved_step


def _show_confusions(run: Run) -> None:
    """Show the confusion matrix of one epoch, by default the latest, also without the pictures."""
    try:
        classes = open_dataset(run).info.classes
    except DataError:
        classes = tuple(f"class {label}" for label in range(run.request.spec.out_classes))
    epochs = [each.epoch for each in run_store().epochs(run.id, confusions=False)]
    reason = _reason_for_no_table(run, epochs)
    if reason:
        st.caption(reason)
        return
    epoch = _choose_epoch(epochs, run)
    metrics = run_store().epochs(run.id, after=epoch - 1)[0]  # tables are large: read only one
    if not metrics.val_confusion:
        st.caption(f"No confusion matrix was saved for epoch {epoch}.")
        return
    matrix = np.array(metrics.val_confusion)
    wrong = int(matrix.sum() - matrix.trace())
    st.caption(
        f"After epoch {epoch}: {percent(metrics.val_accuracy)} of {count(int(matrix.sum()))} "
        f"validation pictures correct, {count(wrong)} wrong."
    )
    confusion_table(matrix, classes, key=f"train_confusion_{run.id}")


def _choose_epoch(epochs: list[int], run: Run) -> int:
    """Show a slider over epochs; while it is at its end it moves on with the training."""
    key, latest_key = f"train_confusion_epoch_{run.id}", f"train_confusion_seen_{run.id}"
    at_end = st.session_state.get(key) in (None, st.session_state.get(latest_key))
    if at_end or st.session_state[key] not in epochs:
        st.session_state[key] = epochs[-1]
    st.session_state[latest_key] = epochs[-1]
    if len(epochs) == 1:
        return epochs[0]
    return st.select_slider("Epoch", epochs, st.session_state[key], key=key)


def _reason_for_no_table(run: Run, epochs: list[int]) -> str:
    """Reason why no table can be shown; "" if there is one."""
    if run.request.spec.out_classes > 100:
        return "A confusion matrix of more than 100 classes is not saved for every epoch."
    if run.request.validation == 0:
        return "This run has no validation split, so it has no confusion matrix per epoch."
    return "" if epochs else "The first confusion matrix appears at the end of the first epoch."


_VIEWS: dict[str, Callable[[Run], None]] = {
    PICTURES: _show_pictures,
    LAYERS: _show_layers,
    CONFUSION: _show_confusions,
}

STRIP_PICTURES = 20
MOST_STRIP_MACS = 1_000_000_000  # for one update of the strip: 0.1 s on one thread
_SHOWN_CLASSES = 3

_strip = Component("live_strip", "train/strip.js")


@dataclass(frozen=True)
class Strip:
    """Test pictures that are classified at each update.

    Args:
        indices: Positions in the test split.
        labels: True classes.
        uris: The pictures as data URIs.
    """

    indices: tuple[int, ...]
    labels: tuple[int, ...]
    uris: tuple[str, ...]


def strip_size(macs: int) -> int:
    """Number of pictures, 1 to `STRIP_PICTURES`, for a network with this many MACs per picture."""
    return max(1, min(STRIP_PICTURES, MOST_STRIP_MACS // max(1, macs)))


@st.cache_data(show_spinner=False, max_entries=8)
def choose_strip(dataset: str, fingerprint: str, size: int) -> Strip:
    """Choose pictures of the test split, the classes in turn."""
    data = open_prepared(dataset, fingerprint)
    indices = class_balanced_indices(data.test_labels, len(data.info.classes), size)
    labels = tuple(int(data.test_labels[index]) for index in indices)
    return Strip(indices, labels, tuple(data_uri(data.test_images[index]) for index in indices))


def class_balanced_indices(labels: np.ndarray, classes: int, size: int) -> tuple[int, ...]:
    """Positions of the first picture of each class, then the second of each, up to ``size``."""
    of_class = [np.flatnonzero(labels == label) for label in range(classes)]
    rounds = max((len(each) for each in of_class), default=0)
    indices = (each[turn] for turn in range(rounds) for each in of_class if turn < len(each))
    return tuple(int(index) for _, index in zip(range(size), indices, strict=False))


def build_strip_data(
    strip: Strip, probabilities: np.ndarray, info: DatasetInfo, step: int
) -> dict[str, Any]:
    """Build the data for the browser: the likeliest classes of each picture.

    Args:
        probabilities: N x classes.
    """
    cards = []
    for uri, label, row in zip(strip.uris, strip.labels, probabilities, strict=True):
        best = np.argsort(-row, kind="stable")[:_SHOWN_CLASSES]
        top = [
            {"name": info.classes[i], "share": round(float(row[i]), 4), "true": bool(i == label)}
            for i in best
        ]
        truth = info.classes[label]
        is_right = bool(best[0] == label)
        cards.append({"uri": uri, "truth": truth, "right": is_right, "predictions": top})
    return {"step": step, "cards": cards}


def show_strip(shown: dict[str, Any], key: str, on_pick: Callable[[int], None]) -> None:
    """Show the strip; the browser updates it in place, without flicker.

    Args:
        shown: From `build_strip_data`.
        on_pick: Called with the position of a picture that was clicked.
    """

    def picked() -> None:
        position = st.session_state[key].get("picked")
        if isinstance(position, int) and 0 <= position < len(shown["cards"]):
            on_pick(position)

    _strip(shown, key=key, on_picked_change=picked)

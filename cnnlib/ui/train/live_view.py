"""What a network sees while it learns: its answers, its layers, its confusions, second by second.

Nothing is computed and nobody is asked for fresh weights while the section is closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from cnnlib.errors import CnnlibError, DataError
from cnnlib.figures.inspect import confusion_figure
from cnnlib.ui.common.format import count, distinct
from cnnlib.ui.common.live_weights import goes_on, network_now, newest_moment
from cnnlib.ui.common.messages import fragment, show_warning
from cnnlib.ui.common.network_cache import (
    SavedStep,
    import_torch,
    open_dataset,
    torch_is_here,
    wait_for_torch,
)
from cnnlib.ui.common.pickers.picture_picker import look_at
from cnnlib.ui.common.shared import run_store
from cnnlib.ui.train.live_layers import PAGE, layers_view
from cnnlib.ui.train.picture_strip import answers, show_strip, strip_images, strip_of, strip_size
from cnnlib.units import percent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cnnlib.records.run import Run

EVERY_SECONDS = 1.0
VIEW = PAGE
CLOSED, PICTURES, LAYERS, CONFUSION = "Closed", "Test pictures", "Layers", "Confusions"


def live_section(runs: Sequence[Run]) -> None:
    """The choice of what to look at, and the look itself, which goes on while the run does."""
    st.header("What it sees", anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        view = st.segmented_control(
            "What it sees while it learns",
            [CLOSED, PICTURES, LAYERS, CONFUSION],
            key=VIEW,
            default=CLOSED,
            required=True,
            label_visibility="collapsed",
            persist_state="session",
        )
        run = runs[0] if len(runs) == 1 or view == CLOSED else _choose_run(runs)
    if view == CLOSED:
        st.caption("Open it to watch the network's answers, filters and feature maps change.")
        return
    if view != CONFUSION:
        import_torch()
    fragment(_look, run_every=EVERY_SECONDS if goes_on(run) else None)(run.id, view)


def _choose_run(runs: Sequence[Run]) -> Run:
    titles = distinct({run.id: run.title for run in runs})
    chosen = st.selectbox(
        "Run",
        titles,
        key="train_look_run",
        format_func=titles.__getitem__,
        label_visibility="collapsed",
        width=320,
    )
    return next(run for run in runs if run.id == chosen)


def _look(run_id: str, view: str) -> None:
    """One look; what is not there (yet) is a sentence, and the next look finds it."""
    try:
        _VIEWS[view](run_store().run(run_id))
    except CnnlibError as error:
        show_warning(error, ":material/visibility_off:")


def _pictures(run: Run) -> None:
    """A strip of test pictures that turn right or wrong."""
    moment = _moment(run)
    if moment is None:
        return
    data = open_dataset(run)
    strip = strip_of(run.request.dataset, run.fingerprint, strip_size(run.plan_cost.get("macs", 0)))
    if not strip.indices:
        st.caption("This dataset has no test pictures.")
        return
    from cnnlib.probe.answer import class_probabilities

    said = class_probabilities(network_now(moment, run), data.info, strip_images(data, strip))

    def pick(place: int) -> None:
        look_at(strip.indices[place], PAGE)
        st.session_state[VIEW] = LAYERS
        st.rerun()  # the whole page: the choice of the view stands outside

    shown = answers(strip, said, data.info, moment.step)
    show_strip(shown, key=f"train_strip_{run.id}", on_pick=pick)


def _layers(run: Run) -> None:
    """Filters and feature maps of a layer, for a picture."""
    moment = _moment(run)
    if moment is None:
        return
    layers_view(run, moment, open_dataset(run))


def _confusions(run: Run) -> None:
    """Tables of the validation split; they are read where the pictures are gone, too."""
    try:
        names = open_dataset(run).info.classes
    except DataError:
        names = tuple(f"class {label}" for label in range(run.request.spec.out_classes))
    confusion_view(run, names)


def _moment(run: Run) -> SavedStep | None:
    """The newest weights, and all that is needed to use them; None, and why, before that."""
    moment = newest_moment(run)
    if moment is None:
        st.caption(
            "The network is being built. Its first weights come with the first step."
            if run.is_live
            else "This run ended before it kept any weights."
        )
    elif goes_on(run) and not torch_is_here():  # the next look finds it
        st.caption("Loading the library that computes networks, once for this server…")
        return None
    else:
        wait_for_torch()
    return moment


_VIEWS: dict[str, Callable[[Run], None]] = {
    PICTURES: _pictures,
    LAYERS: _layers,
    CONFUSION: _confusions,
}


def confusion_view(run: Run, classes: Sequence[str]) -> None:
    """The table of one epoch: the latest, until somebody chooses another."""
    epochs = [each.epoch for each in run_store().epochs(run.id, confusions=False)]
    why_none = _why_none(run, epochs)
    if why_none:
        st.caption(why_none)
        return
    epoch = _choose_epoch(epochs, run)
    told = run_store().epochs(run.id, after=epoch - 1)[0]  # tables are large: not all of them
    if not told.val_confusion:
        st.caption(f"No table was kept of epoch {epoch}.")
        return
    found = np.array(told.val_confusion)
    wrong = int(found.sum() - found.trace())
    st.caption(
        f"After epoch {epoch}: {percent(told.val_accuracy)} of {count(int(found.sum()))} "
        f"validation pictures right, {count(wrong)} wrong."
    )
    st.plotly_chart(confusion_figure(found, classes), key=f"train_confusion_{run.id}")


def _choose_epoch(epochs: list[int], run: Run) -> int:
    """A slider that follows the training while it stands at its end."""
    key, seen = f"train_confusion_epoch_{run.id}", f"train_confusion_seen_{run.id}"
    at_end = st.session_state.get(key) in (None, st.session_state.get(seen))
    if at_end or st.session_state[key] not in epochs:
        st.session_state[key] = epochs[-1]
    st.session_state[seen] = epochs[-1]
    if len(epochs) == 1:
        return epochs[0]
    return st.select_slider("Epoch", epochs, key=key)


def _why_none(run: Run, epochs: list[int]) -> str:
    """Why there is no table; "" where there are some."""
    if run.request.spec.out_classes > 100:
        return "Tables of more than 100 classes are not kept for every epoch."
    if run.request.validation == 0:
        return "This run keeps no pictures for validation, so nothing is counted after an epoch."
    return "" if epochs else "The first table comes at the end of the first epoch."

"""What a network sees while it learns: its answers, its layers, its confusions, second by second.

Nothing is computed and nobody is asked for fresh weights while the section is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from cnnlib.errors import CnnlibError, DataError
from cnnlib.records.run import Run
from cnnlib.ui.inspect_choice import open_dataset
from cnnlib.ui.inspect_source import import_torch, normalised, torch_is_here
from cnnlib.ui.live_confusion import confusion_view
from cnnlib.ui.live_layers import PICTURE, layers_view
from cnnlib.ui.live_source import network_now, newest_moment
from cnnlib.ui.live_strip import answers, show_strip, strip_images, strip_of, strip_size
from cnnlib.ui.resources import run_store

EVERY_SECONDS = 1.0
VIEW = "train_look"
_TURNED = "train_look_turned"  # a picture was pressed, and the page is to show its maps
CLOSED, PICTURES, LAYERS, CONFUSION = "Closed", "Test pictures", "Layers", "Confusions"


def look_section(runs: Sequence[Run]) -> None:
    """The choice of what to look at, and the look itself, which goes on while the run does."""
    st.subheader("What it sees", anchor=False)
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
    goes_on = run.is_live and run.state != "queued"
    st.fragment(_look, run_every=EVERY_SECONDS if goes_on else None)(run.id, view)


def _choose_run(runs: Sequence[Run]) -> Run:
    by_id = {run.id: run for run in runs}
    chosen = st.selectbox(
        "Run",
        by_id,
        key="train_look_run",
        format_func=lambda run_id: by_id[run_id].title,
        label_visibility="collapsed",
        width=320,
    )
    return by_id[chosen]


def _look(run_id: str, view: str) -> None:
    """One look; what is not there (yet) is a sentence, and the next look finds it."""
    if st.session_state.pop(_TURNED, False):
        st.rerun()
    try:
        _VIEWS[view](run_store().run(run_id))
    except CnnlibError as error:
        st.warning(str(error), icon=":material/visibility_off:")


def _pictures(run: Run) -> None:
    """A strip of test pictures that turn right or wrong."""
    moment = newest_moment(run)
    if moment is None or not torch_is_here():
        _not_yet(run, moment is None)
        return
    data = open_dataset(run)
    strip = strip_of(run.request.dataset, run.fingerprint, strip_size(run.plan_cost.get("macs", 0)))
    if not strip.indices:
        st.caption("This dataset has no test pictures.")
        return
    from cnnlib.probe.answer import class_probabilities

    said = class_probabilities(network_now(moment, run), data.info, strip_images(data, strip))

    def pick(place: int) -> None:
        st.session_state[PICTURE] = strip.indices[place]
        st.session_state[VIEW] = LAYERS
        st.session_state[_TURNED] = True

    shown = answers(strip, said, data.info, moment.step)
    show_strip(shown, key=f"train_strip_{run.id}", on_pick=pick)


def _layers(run: Run) -> None:
    """Filters and feature maps of a layer, for a picture."""
    moment = newest_moment(run)
    if moment is None or not torch_is_here():
        _not_yet(run, moment is None)
        return
    data = open_dataset(run)
    layers_view(run, moment, data, lambda pixels: normalised(pixels, data.info))


def _confusions(run: Run) -> None:
    """Tables of the validation split; they are read where the pictures are gone, too."""
    try:
        names = open_dataset(run).info.classes
    except DataError:
        names = tuple(f"class {label}" for label in range(run.request.spec.out_classes))
    confusion_view(run, names)


def _not_yet(run: Run, without_weights: bool) -> None:
    """Why there is nothing to see."""
    if not without_weights:
        st.caption("Loading the library that computes networks, once for this server…")
    elif run.is_live:
        st.caption("The network is being built. Its first weights come with the first step.")
    else:
        st.caption("This run ended before it kept any weights.")


_VIEWS: dict[str, Callable[[Run], None]] = {
    PICTURES: _pictures,
    LAYERS: _layers,
    CONFUSION: _confusions,
}

"""The panels of Inspect, one at a time: only what is looked at is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cnnlib.errors import CnnlibError
from cnnlib.records.run import Run
from cnnlib.ui.addresses import remember
from cnnlib.ui.inspect_choice import Scene, Subject, choose_scene
from cnnlib.ui.inspect_errors import errors_panel
from cnnlib.ui.inspect_exciting import exciting_panel
from cnnlib.ui.inspect_gradients import gradients_panel
from cnnlib.ui.inspect_maps import MapsPlaces, answer, show_maps
from cnnlib.ui.inspect_moment import choose_moment
from cnnlib.ui.inspect_reasons import reasons_panel
from cnnlib.ui.inspect_source import import_torch
from cnnlib.ui.inspect_surgery import surgery_panel

MAPS = "Filters and maps"
PANELS: dict[str, Callable[[Subject], None]] = {
    "Why this answer": reasons_panel,
    "Gradients": gradients_panel,
    "Surgery": surgery_panel,
    "What excites it": exciting_panel,
    "Errors": errors_panel,
}


def inspect_run(runs: Sequence[Run]) -> None:
    """The chosen run, moment and picture, and the chosen panel about them."""
    import_torch()
    asked = st.query_params.get("run", "")
    if asked and asked not in {run.id for run in runs}:
        st.warning(
            f"The run {asked[:40]} that this address names was deleted, or never was here. "
            "Another one is shown.",
            icon=":material/link_off:",
        )
    try:
        scene = choose_scene(runs)
    except CnnlibError as error:
        st.error(str(error), icon=":material/error:")
        return
    if scene is None:
        return
    said = st.empty()
    panel = _panel()
    if panel == MAPS:
        st.fragment(_maps)(scene, said, MapsPlaces.on_page(scene))
    else:
        with _errors_told():
            subject = Subject(scene, choose_moment(scene.timeline, scene.places))
            PANELS[panel](subject)
            answer(subject, said)


def _maps(scene: Scene, said: DeltaGenerator, places: MapsPlaces) -> None:
    """What a notch of the slider draws anew, and nothing else."""
    with _errors_told():
        subject = Subject(scene, choose_moment(scene.timeline, scene.places))
        show_maps(subject, places)
        answer(subject, said)


@contextmanager
def _errors_told() -> Iterator[None]:
    try:
        yield
    except CnnlibError as error:
        st.error(str(error), icon=":material/error:")


def _panel() -> str:
    """Name of the panel that is chosen; the address remembers it."""
    names = [MAPS, *PANELS]
    if st.session_state.get("inspect_view") not in names:
        asked = st.query_params.get("view", "")
        st.session_state["inspect_view"] = asked if asked in names else MAPS
    name = st.segmented_control(
        "What to look at", names, key="inspect_view", required=True, default=None
    )
    remember("view", name)
    return name

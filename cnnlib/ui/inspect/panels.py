"""The panels of Inspect, one at a time: only what is looked at is computed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.errors import CnnlibError
from cnnlib.ui.common.messages import fragment, show_error, show_warning
from cnnlib.ui.common.network_cache import import_torch
from cnnlib.ui.common.urls import remember
from cnnlib.ui.inspect.ablation import surgery_panel
from cnnlib.ui.inspect.activation_maximisation import exciting_panel
from cnnlib.ui.inspect.attribution import reasons_panel
from cnnlib.ui.inspect.errors import errors_panel
from cnnlib.ui.inspect.feature_maps import MapsPlaces, answer, show_maps
from cnnlib.ui.inspect.gradients import gradients_panel
from cnnlib.ui.inspect.selection import Scene, Subject, choose_scene
from cnnlib.ui.inspect.step_slider import as_it_is_now, choose_moment, looks_again_every

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamlit.delta_generator import DeltaGenerator

    from cnnlib.records.run import Run

MAPS, GRADIENTS = "Filters and maps", "Gradients"
PANELS: dict[str, Callable[[Subject], None]] = {
    "Why this answer": reasons_panel,
    GRADIENTS: gradients_panel,
    "Surgery": surgery_panel,
    "What excites it": exciting_panel,
    "Errors": errors_panel,
}
# Quick enough to follow a run under way second by second. What the others compute takes longer, or
# is a job about one saved step, so that they leave the weights out that do not stay.
_FOLLOWING = (MAPS, GRADIENTS)


def inspect_run(runs: Sequence[Run]) -> None:
    """The chosen run, moment and picture, and the chosen panel about them."""
    import_torch()
    asked = st.query_params.get("run", "")
    if asked and asked not in {run.id for run in runs}:
        show_warning(
            f"The run {asked[:40]} that this address names was deleted, or never was here. "
            "Another one is shown.",
            ":material/link_off:",
        )
    panel = _panel_now()
    try:
        scene = choose_scene(runs, follow=panel in _FOLLOWING)
    except CnnlibError as error:
        show_error(error)
        return
    if scene is None:
        return
    said = st.empty()
    _panel_menu()
    places = MapsPlaces.on_page(scene) if panel == MAPS else None
    fragment(_look, run_every=looks_again_every(scene.timeline))(scene, panel, said, places)


def _look(scene: Scene, panel: str, said: DeltaGenerator, places: MapsPlaces | None) -> None:
    """What a notch of the slider draws anew, and a second of the training; nothing else."""
    scene = replace(scene, timeline=as_it_is_now(scene.timeline))
    subject = Subject(scene, choose_moment(scene.timeline, scene.places))
    if places is not None:
        show_maps(subject, places)
    else:
        PANELS[panel](subject)
    answer(subject, said)


def _panel_now() -> str:
    """Name of the panel that is chosen: by a person, or by the address."""
    names = [MAPS, *PANELS]
    if st.session_state.get("inspect_view") not in names:
        asked = st.query_params.get("view", "")
        st.session_state["inspect_view"] = asked if asked in names else MAPS
    return st.session_state["inspect_view"]


def _panel_menu() -> None:
    name = st.segmented_control(
        "What to look at", [MAPS, *PANELS], key="inspect_view", required=True, default=None
    )
    remember("view", name or MAPS)

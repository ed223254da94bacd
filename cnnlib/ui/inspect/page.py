"""The page "Look inside": the inside of a network at any saved step of its training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.errors import CnnlibError
from cnnlib.ui.common.messages import (
    fragment,
    show_error,
    show_not_found,
    viewer_is_ready,
    wait_for_viewer,
)
from cnnlib.ui.common.shared import run_store
from cnnlib.ui.common.urls import TRAIN, set_in_address
from cnnlib.ui.inspect.attribution import attribution_panel
from cnnlib.ui.inspect.channels import ablation_panel, activation_maximisation_panel
from cnnlib.ui.inspect.errors import errors_panel
from cnnlib.ui.inspect.feature_maps import MapsLayout, show_maps, show_prediction
from cnnlib.ui.inspect.gradients import gradients_panel
from cnnlib.ui.inspect.selection import Selection, Subject, choose_selection
from cnnlib.ui.inspect.step_slider import choose_saved_step, refresh_interval, refresh_timeline

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from cnnlib.records.run import Run


def show() -> None:
    """Show the page."""
    st.title("Look inside")
    runs = run_store().runs()
    if not runs:
        st.write(
            "No run yet. Train a network first. Then you can see its filters and feature maps here."
        )
        st.page_link(TRAIN, label="Train a network", icon=":material/arrow_forward:")
        st.stop()
    inspect_run(runs)


MAPS, GRADIENTS = "Filters and maps", "Gradients"
PANELS: dict[str, Callable[[Subject], None]] = {
    "Why this answer": attribution_panel,
    GRADIENTS: gradients_panel,
    "Ablation": ablation_panel,
    "What activates it": activation_maximisation_panel,
    "Errors": errors_panel,
}
_FORMER_NAMES = {"Surgery": "Ablation", "What excites it": "What activates it"}  # of addresses
# Fast enough to follow a live run every second. The others are slower, or are jobs on one saved
# step, so they omit the `latest` weights, which are overwritten.
_LIVE_PANELS = (MAPS, GRADIENTS)


def inspect_run(runs: Sequence[Run]) -> None:
    """Show the menus of run, step and picture, and the chosen panel; first, wait for the viewer."""
    if not viewer_is_ready():
        wait_for_viewer()
        return
    requested = st.query_params.get("run", "")
    if requested and requested not in {run.id for run in runs}:
        show_not_found("run", requested, "Another run is shown.")
    panel = _selected_panel()
    try:
        selection = choose_selection(runs, follow=panel in _LIVE_PANELS)
    except CnnlibError as error:
        show_error(error)
        return
    if selection is None:
        return
    prediction_slot = st.empty()
    _show_panel_menu()
    layout = MapsLayout.create(selection) if panel == MAPS else None
    draw = fragment(_draw_panel, run_every=refresh_interval(selection.timeline))
    draw(selection, panel, prediction_slot, layout)


def _draw_panel(
    selection: Selection, panel: str, prediction_slot: DeltaGenerator, layout: MapsLayout | None
) -> None:
    """Draw the part that is updated with each slider position and each second of a live run."""
    selection = replace(selection, timeline=refresh_timeline(selection.timeline))
    saved_step = choose_saved_step(selection.timeline, selection.slider_slots)
    subject = Subject(**vars(selection), saved_step=saved_step)
    if layout is not None:
        show_maps(subject, layout)
    else:
        PANELS[panel](subject)
    show_prediction(subject, prediction_slot)


def _selected_panel() -> str:
    """Return the name of the panel chosen in the menu, or else in the address."""
    names = [MAPS, *PANELS]
    if st.session_state.get("inspect_view") not in names:
        requested = st.query_params.get("view", "")
        requested = _FORMER_NAMES.get(requested, requested)
        st.session_state["inspect_view"] = requested if requested in names else MAPS
    return st.session_state["inspect_view"]


def _show_panel_menu() -> None:
    """Show the menu of panels."""
    name = st.segmented_control(
        "Panel",
        [MAPS, *PANELS],
        key="inspect_view",
        required=True,
        default=None,
        help="Filters and maps: the weights and the outputs of a layer. Why this answer: the "
        "pixels that the prediction depends on. Gradients: how the loss depends on weights and "
        "feature maps. Ablation: the accuracy without each filter. What activates it: pictures "
        "with a strong activation of a channel. Errors: the wrong predictions.",
    )
    set_in_address("view", name or MAPS)

"""The page "Look inside": the convolution, and the inside of a network at any saved step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
from cnnlib.ui.common.pickers.picture_picker import has_stored_drawing
from cnnlib.ui.common.shared import run_store
from cnnlib.ui.common.urls import RESULTS, TRAIN
from cnnlib.ui.inspect.address import write_address
from cnnlib.ui.inspect.attribution import attribution_panel
from cnnlib.ui.inspect.channels import ablation_panel, activation_maximisation_panel
from cnnlib.ui.inspect.convolution import playground
from cnnlib.ui.inspect.errors import errors_panel
from cnnlib.ui.inspect.feature_maps import MapsLayout, show_maps, show_prediction
from cnnlib.ui.inspect.gradients import gradients_panel
from cnnlib.ui.inspect.selection import Selection, Subject, choose_selection, rail_and_main
from cnnlib.ui.inspect.step_slider import choose_saved_step, refresh_interval, refresh_timeline

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from cnnlib.records.run import Run


@dataclass(frozen=True)
class Tab:
    """What a tab answers, and what draws it; `CONVOLUTION` and `MAPS` have parts of their own."""

    sentence: str
    panel: Callable[[Subject], None] | None = None


CONVOLUTION, MAPS, REASONS, GRADIENTS = (
    "Convolution",
    "Filters and maps",
    "Why this answer",
    "Gradients",
)
TABS = {
    CONVOLUTION: Tab(
        "How is one output value of a convolution computed? A window moves over the picture: its "
        "pixels times the numbers of the kernel are summed."
    ),
    MAPS: Tab("What does each layer make of this picture, and with which filters?"),
    REASONS: Tab("Which pixels does the score of a class depend on?", attribution_panel),
    GRADIENTS: Tab(
        "How would the loss on this picture change with each weight and each feature map?",
        gradients_panel,
    ),
    "Ablation": Tab("How much accuracy is lost without each filter of a layer?", ablation_panel),
    "What activates it": Tab(
        "Which pictures activate a channel or a class most strongly?",
        activation_maximisation_panel,
    ),
    "Errors": Tab(
        "Which test pictures are classified wrong, and which classes are confused?", errors_panel
    ),
}
_FORMER_NAMES = {"Surgery": "Ablation", "What excites it": "What activates it"}  # of addresses
# Fast enough to follow a live run every second. The others are slower, or are jobs on one saved
# step, so they omit the `latest` weights, which are overwritten.
_LIVE_TABS = (MAPS, GRADIENTS)
_TAB = "inspect_view"


def show(first: str = "") -> None:
    """Show the page.

    Args:
        first: The tab that is open unless the address names one; "" chooses it.
    """
    runs = run_store().runs()
    with st.container(
        horizontal=True, vertical_alignment="center", gap="large", key="inspect_head"
    ):
        st.title("Look inside", anchor=False, width="content")
        tab = _choose_tab(first or _first_tab(runs))
    st.markdown(TABS[tab].sentence)
    if tab == CONVOLUTION:
        playground()
        _show_next(tab, has_runs=bool(runs))
        write_address({"view": tab})
        return
    requested = st.query_params.get("run", "")
    if not runs:
        if requested:
            show_not_found("run", requested)
        st.write(
            "No run yet. Train a network first. Then you can see its filters and feature maps here."
        )
        st.page_link(TRAIN, label="Train a network", icon=":material/arrow_forward:")
        return
    inspect_run(runs, tab)


def _first_tab(runs: Sequence[Run]) -> str:
    """Return the tab that is open at first: the lesson needs no run, a drawing brings a question.

    A run that the address names is looked for, also where there is none.
    """
    if not runs and not st.query_params.get("run"):
        return CONVOLUTION
    return REASONS if has_stored_drawing() else MAPS


def _choose_tab(first: str) -> str:
    """Show the tabs and return the chosen one; at first it is that of the address."""
    if st.session_state.get(_TAB) not in TABS:
        requested = st.query_params.get("view", "")
        requested = _FORMER_NAMES.get(requested, requested)
        st.session_state[_TAB] = requested if requested in TABS else first
    chosen = st.segmented_control(
        "Tab",
        list(TABS),
        key=_TAB,
        required=True,
        default=st.session_state[_TAB],
        label_visibility="collapsed",
        wrap=True,
    )
    return chosen or first


def inspect_run(runs: Sequence[Run], tab: str) -> None:
    """Show the rail of run, picture and step, and the tab; first, wait for the viewer."""
    if not viewer_is_ready():
        wait_for_viewer()
        return
    rail, main = rail_and_main()
    try:
        with rail:
            selection = choose_selection(runs, follow=tab in _LIVE_TABS)
            prediction_slot = st.empty()
    except CnnlibError as error:
        with main:
            show_error(error)
        return
    with main:
        if selection is None:
            return
        layout = MapsLayout.create(selection) if tab == MAPS else None
        draw = fragment(_draw_panel, run_every=refresh_interval(selection.timeline))
        draw(selection, tab, prediction_slot, layout)
        _show_next(tab, has_runs=True)


def _draw_panel(
    selection: Selection, tab: str, prediction_slot: DeltaGenerator, layout: MapsLayout | None
) -> None:
    """Draw the part that is updated with each slider position and each second of a live run."""
    selection = replace(selection, timeline=refresh_timeline(selection.timeline))
    saved_step = choose_saved_step(selection.timeline, selection.slider_slots)
    subject = Subject(**vars(selection), saved_step=saved_step)
    write_address(
        {
            "run": subject.run.id,
            "view": tab,
            "step": saved_step.step,
            "picture": subject.picture.test_index,
            "layer": st.session_state.get("inspect_layer_kept"),
        }
    )
    if layout is not None:
        show_maps(subject, layout)
    elif (panel := TABS[tab].panel) is not None:
        panel(subject)
    show_prediction(subject, prediction_slot)


def _show_next(tab: str, *, has_runs: bool) -> None:
    """Show the way on at the end of a tab: the next tab, or another page."""
    names = list(TABS)
    if not has_runs:
        st.page_link(
            TRAIN, label="Next: train a network of your own", icon=":material/arrow_forward:"
        )
    elif tab == names[-1]:
        st.page_link(
            RESULTS, label="Next: compare it with other designs", icon=":material/arrow_forward:"
        )
    else:
        following = names[names.index(tab) + 1]
        st.button(
            f"Next: {following}",
            icon=":material/arrow_forward:",
            key="inspect_next",
            on_click=st.session_state.__setitem__,
            args=(_TAB, following),
        )

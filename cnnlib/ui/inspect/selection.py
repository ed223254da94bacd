"""The inputs of Inspect: a run, a saved step, a picture and a layer.

All of them are query parameters of the address, so a reload, a bookmark or a link shows the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.design.plan import Plan, plan
from cnnlib.probe.graph import steps
from cnnlib.ui.common.format import STATE_LABELS, distinct
from cnnlib.ui.common.pickers.layer_picker import layer_menu
from cnnlib.ui.common.pickers.picture_picker import choose_picture
from cnnlib.ui.common.saved_steps import Picture, SavedStep, open_dataset
from cnnlib.ui.common.urls import set_in_address
from cnnlib.ui.inspect.step_slider import SliderSlots, Timeline, create_slider_slots, timeline_of

if TYPE_CHECKING:
    from cnnlib.data.prepared import Prepared
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.run import Run


@dataclass(frozen=True, eq=False)
class Selection:
    """The chosen run and picture, without the saved step, which changes with the slider.

    Args:
        timeline: The saved steps at the time of the choice; a live run adds more.
    """

    run: Run
    plan: Plan
    timeline: Timeline
    slider_slots: SliderSlots
    picture: Picture
    info: DatasetInfo
    prepared: Prepared


@dataclass(frozen=True, eq=False)
class Subject(Selection):
    """The input of a panel: a selection and one of its saved steps."""

    saved_step: SavedStep

    @property
    def saved_steps(self) -> Mapping[int, SavedStep]:
        """All saved steps of the run, by step."""
        return self.timeline.saved_steps


def _describe_missing_weights(run: Run) -> str:
    """Return a sentence on why there are no weights and what to do."""
    if run.is_live:
        return (
            "This run has saved no weights yet, so there is nothing to show. "
            "Wait for its first step, or choose another run."
        )
    return (
        "This run ended before it saved any weights, so there is nothing to show. "
        "Choose another run."
    )


def choose_run(runs: Sequence[Run]) -> Run:
    """Show a menu of runs; the initial choice is the run of the address."""
    ids = [run.id for run in runs]
    requested = st.query_params.get("run", "")
    titles = distinct({run.id: f"{run.title} ({STATE_LABELS[run.state].lower()})" for run in runs})
    if st.session_state.get("inspect_run") not in ids:
        st.session_state["inspect_run"] = requested if requested in ids else ids[0]
    chosen = st.selectbox("Run", ids, key="inspect_run", format_func=titles.__getitem__)
    set_in_address("run", chosen)
    return next(run for run in runs if run.id == chosen)


def choose_layer(planned: Plan, kinds: Sequence[str] | None = None) -> str:
    """Show a menu of layers, of some kinds or all; the choice is stored in the address."""
    names = [step.name for step in steps(planned) if kinds is None or step.kind in kinds]
    requested = st.query_params.get("layer", "")
    kept = st.session_state.get("inspect_layer_kept", requested)
    layer = layer_menu(planned, names, kept, key="inspect_layer")
    st.session_state["inspect_layer_kept"] = layer
    set_in_address("layer", layer)
    return layer


def choose_selection(runs: Sequence[Run], *, follow: bool) -> Selection | None:
    """Show the menus above the panels; None, with an info box, if the run has saved no weights.

    Args:
        runs: The options.
        follow: See `timeline_of`.

    Raises:
        CnnlibError: The dataset of the run was deleted or has changed.
    """
    run = choose_run(runs)
    timeline = timeline_of(run, follow=follow)
    if timeline is None:
        st.info(_describe_missing_weights(run), icon=":material/hourglass_empty:")
        return None
    slider_slots = create_slider_slots()
    data = open_dataset(run)
    picture = choose_picture(data)
    if picture.test_index is not None:
        set_in_address("picture", str(picture.test_index))
    planned = plan(run.request.spec)
    return Selection(run, planned, timeline, slider_slots, picture, data.info, data)

"""The inputs of Look inside: a run, a saved step and a picture in the rail, and a layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.design.plan import Plan, plan
from cnnlib.probe.graph import steps
from cnnlib.ui.common.format import STATE_LABELS
from cnnlib.ui.common.messages import show_not_found
from cnnlib.ui.common.pickers.layer_picker import layer_menu
from cnnlib.ui.common.pickers.picture_picker import choose_picture
from cnnlib.ui.common.pickers.run_menu import best_first, run_titles
from cnnlib.ui.common.saved_steps import Picture, SavedStep, open_dataset
from cnnlib.ui.inspect.step_slider import SliderSlots, Timeline, create_slider_slots, timeline_of

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

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


def rail_and_main() -> tuple[DeltaGenerator, DeltaGenerator]:
    """Create the rail on the left, which stays while the page scrolls, and the part beside it."""
    with st.container(horizontal=True, wrap=False, gap="medium", key="inspect_sides"):
        return (
            st.container(border=True, width=272, key="inspect_rail"),
            st.container(width="stretch", key="inspect_main"),
        )


_LENS_WIDTH = 404  # pixels: two pictures side by side


def middle_and_lens() -> tuple[DeltaGenerator, DeltaGenerator]:
    """Create the middle of the page, and the card to its right."""
    with st.container(horizontal=True, wrap=False, gap="medium", key="inspect_maps"):
        return (
            st.container(width="stretch", key="inspect_middle"),
            st.container(border=True, width=_LENS_WIDTH, key="inspect_lens"),
        )


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
    """Show a menu of runs; the initial choice is the run of the address, else a good one."""
    ids = [run.id for run in runs]
    requested = st.query_params.get("run", "")
    titles = run_titles(runs, lambda run: f"{run.title} ({STATE_LABELS[run.state].lower()})")
    if st.session_state.get("inspect_run") not in ids:
        if requested and requested not in ids:
            show_not_found("run", requested, "Another run is shown.")
        st.session_state["inspect_run"] = requested if requested in ids else best_first(runs)[0].id
    chosen = st.selectbox(
        "Run",
        list(titles),
        list(titles).index(st.session_state["inspect_run"]),
        key="inspect_run",
        format_func=titles.__getitem__,
    )
    return next(run for run in runs if run.id == chosen)


def choose_layer(planned: Plan, kinds: Sequence[str] | None = None) -> str:
    """Show a menu of layers, of some kinds or all; the choice is kept for the other tabs."""
    names = [step.name for step in steps(planned) if kinds is None or step.kind in kinds]
    requested = st.query_params.get("layer", "")
    kept = st.session_state.get("inspect_layer_kept", requested)
    layer = layer_menu(planned, names, kept, key="inspect_layer")
    st.session_state["inspect_layer_kept"] = layer
    return layer


def choose_selection(runs: Sequence[Run], *, follow: bool) -> Selection | None:
    """Show the menus of the rail; None, with an info box, if the run has saved no weights.

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
    data = open_dataset(run)
    picture = choose_picture(data)
    slider_slots = create_slider_slots()
    planned = plan(run.request.spec)
    return Selection(run, planned, timeline, slider_slots, picture, data.info, data)

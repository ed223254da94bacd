"""What Inspect looks at: a run, a moment of its training, a picture and a layer.

All of them stand in the address: a reload, a bookmark or a link shows the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.design.plan import Plan, plan
from cnnlib.probe.graph import steps
from cnnlib.ui.common.format import STATE_LABELS, distinct
from cnnlib.ui.common.network_cache import Picture, SavedStep, open_dataset
from cnnlib.ui.common.pickers.layer_picker import layer_menu
from cnnlib.ui.common.pickers.picture_picker import choose_picture
from cnnlib.ui.common.urls import remember
from cnnlib.ui.inspect.step_slider import Places, Timeline, place_slider, timeline_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cnnlib.data.prepared import Prepared
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.run import Run


@dataclass(frozen=True, eq=False)
class Scene:
    """What is looked at, but for the moment: a notch of the slider leaves it as it is.

    Args:
        timeline: As it was when this was chosen; a run under way goes on.
    """

    run: Run
    plan: Plan
    timeline: Timeline
    places: Places
    picture: Picture
    info: DatasetInfo
    prepared: Prepared


@dataclass(frozen=True, eq=False)
class Subject:
    """What is looked at, with everything that a panel needs of it."""

    scene: Scene
    moment: SavedStep

    @property
    def run(self) -> Run:
        """The run."""
        return self.scene.run

    @property
    def plan(self) -> Plan:
        """Its network."""
        return self.scene.plan

    @property
    def picture(self) -> Picture:
        """What the network looks at."""
        return self.scene.picture

    @property
    def moments(self) -> Mapping[int, SavedStep]:
        """All saved moments of the run, by step."""
        return self.scene.timeline.moments

    @property
    def prepared(self) -> Prepared:
        """The pictures of the dataset."""
        return self.scene.prepared

    @property
    def info(self) -> DatasetInfo:
        """The dataset that it was trained on."""
        return self.scene.info


def _no_weights(run: Run) -> str:
    if run.is_live:
        return (
            "This run has saved no weights yet, so there is nothing to look into. "
            "Wait for its first step, or choose another run."
        )
    return (
        "This run ended before it saved any weights, so there is nothing to look into. "
        "Choose another run."
    )


def choose_run(runs: Sequence[Run]) -> Run:
    """A menu of runs; the one that the address names is chosen."""
    ids = [run.id for run in runs]
    asked = st.query_params.get("run", "")
    titles = distinct({run.id: f"{run.title} ({STATE_LABELS[run.state].lower()})" for run in runs})
    if st.session_state.get("inspect_run") not in ids:
        st.session_state["inspect_run"] = asked if asked in ids else ids[0]
    chosen = st.selectbox("Run", ids, key="inspect_run", format_func=titles.__getitem__)
    remember("run", chosen)
    return next(run for run in runs if run.id == chosen)


def choose_layer(planned: Plan, kinds: Sequence[str] | None = None) -> str:
    """A menu of layers; those of some kinds, or all. The address remembers the chosen one."""
    names = [step.name for step in steps(planned) if kinds is None or step.kind in kinds]
    asked = st.query_params.get("layer", "")
    kept = st.session_state.get("inspect_layer_kept", asked)
    layer = layer_menu(planned, names, kept, key="inspect_layer")
    st.session_state["inspect_layer_kept"] = layer
    remember("layer", layer)
    return layer


def choose_scene(runs: Sequence[Run], *, follow: bool) -> Scene | None:
    """All that is chosen above the panels; None, and a sentence, where a run has saved nothing.

    Args:
        follow: See `timeline_of`.

    Raises:
        CnnlibError: The pictures of the run are gone.
    """
    run = choose_run(runs)
    timeline = timeline_of(run, follow=follow)
    if timeline is None:
        st.info(_no_weights(run), icon=":material/hourglass_empty:")
        return None
    places = place_slider()
    data = open_dataset(run)
    picture = choose_picture(data)
    if picture.place is not None:
        remember("picture", str(picture.place))
    return Scene(run, plan(run.request.spec), timeline, places, picture, data.info, data)

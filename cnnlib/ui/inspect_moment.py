"""The moment of the training that Inspect looks at: a slider over saved steps, Play, and live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cnnlib.probe.snapshots import moments
from cnnlib.records.run import Run
from cnnlib.ui.addresses import remember
from cnnlib.ui.inspect_source import Moment
from cnnlib.ui.live_source import newest_moment
from cnnlib.ui.resources import run_store

PLAY_SECONDS = 1.0
LIVE_SECONDS = 1.0
_NEXT, _TICKED, _PLAY = "inspect_next", "inspect_ticked", "inspect_play"


@dataclass(frozen=True)
class Timeline:
    """The saved steps of a run, as they were when the page ran.

    Args:
        moments: By step, in order; never empty.
        checkpoints: Steps from which the run can go on.
    """

    run: Run
    moments: Mapping[int, Moment]
    checkpoints: frozenset[int]

    @property
    def steps(self) -> list[int]:
        """The steps in order."""
        return list(self.moments)

    @property
    def key(self) -> str:
        """Of the slider."""
        return f"inspect_step_{self.run.id}"


@dataclass(frozen=True)
class Places:
    """Where the parts stand that are drawn anew with every notch; what is around them is not."""

    buttons: DeltaGenerator
    slider: DeltaGenerator


def timeline_of(run: Run) -> Timeline | None:
    """The saved steps of a run; None where nothing was saved."""
    saved = run_store().saved(run.id)
    there = {step: Moment.of(run, each) for step, each in moments(saved).items()}
    checkpoints = frozenset(each.step for each in saved if each.what == "checkpoint")
    return Timeline(run, there, checkpoints) if there else None


def place_slider(timeline: Timeline) -> Places:
    """Play, and the marks of checkpoints, around the places of the buttons and the slider.

    While a run goes on, its newest weights are kept fresh, and the page follows them.
    """
    steps = timeline.steps
    _settle(timeline)
    if timeline.run.is_live and timeline.run.state != "queued":
        st.fragment(_watch, run_every=LIVE_SECONDS)(timeline.run, timeline.moments[steps[-1]])
    if len(steps) == 1:
        st.caption(f"This run has one saved moment, step {steps[0]:,}.")
        return Places(st.container(), st.container())
    with st.container(horizontal=True, vertical_alignment="top", gap="medium"):
        with st.container(width="stretch", gap=None):
            slider = st.container()
            st.html(marks_html(steps, timeline.checkpoints))
        with st.container(horizontal=True, width="content", vertical_alignment="center"):
            buttons = st.container(horizontal=True, width="content", gap="small")
            playing = st.toggle("Play", key=_PLAY, help="A saved step a second, to the last.")
    if playing:
        st.fragment(_tick, run_every=PLAY_SECONDS)(timeline.key, steps)
    return Places(buttons, slider)


def choose_moment(timeline: Timeline, places: Places) -> Moment:
    """The slider and its buttons, in their places."""
    steps = timeline.steps
    if len(steps) > 1:
        places.slider.select_slider(
            "Step of the training",
            steps,
            key=timeline.key,
            format_func=lambda step: f"{step:,}",
        )
        at = steps.index(st.session_state[timeline.key])
        _step_button(places, timeline, at - 1, "Step back", ":material/skip_previous:")
        _step_button(places, timeline, at + 1, "Step on", ":material/skip_next:")
    step = st.session_state[timeline.key]
    remember("step", str(step))
    return timeline.moments[step]


def _step_button(places: Places, timeline: Timeline, to: int, name: str, icon: str) -> None:
    is_there = 0 <= to < len(timeline.moments)
    places.buttons.button(
        "",
        icon=icon,
        key=f"inspect_{name.lower().replace(' ', '_')}",
        help=name,
        disabled=not is_there,
        on_click=st.session_state.__setitem__,
        args=(timeline.key, timeline.steps[to] if is_there else 0),
    )


def marks_html(steps: Sequence[int], checkpoints: frozenset[int]) -> str:
    """A tick below each position of the slider, a dot where a checkpoint lies."""
    marks = []
    for place, step in enumerate(steps):
        left = 100 * place / (len(steps) - 1)
        is_checkpoint = step in checkpoints
        look = (
            "width:8px;height:8px;border-radius:50%;background:var(--st-primary-color,#0068a8)"
            if is_checkpoint
            else "width:1px;height:8px;background:currentColor;opacity:0.4"
        )
        title = f"step {step:,}" + (", checkpoint" if is_checkpoint else "")
        marks.append(
            f'<span title="{title}" style="position:absolute;left:{left:.2f}%;'
            f'transform:translateX(-50%);{look}"></span>'
        )
    ticks = f'<div style="position:relative;height:10px;margin:0 6px">{"".join(marks)}</div>'
    if not checkpoints & set(steps):
        return ticks
    return ticks + (
        '<div style="font-size:0.75rem;opacity:0.8;margin-top:2px">'
        "Dots are checkpoints: a run can be resumed or forked from there.</div>"
    )


def _settle(timeline: Timeline) -> None:
    """A value for the slider: where Play goes, the address says, or the end that moved on."""
    key, steps = timeline.key, timeline.steps
    if st.session_state.get(_NEXT, (None,))[0] == key:
        _, step = st.session_state.pop(_NEXT)
        st.session_state[_PLAY] = step != steps[-1]
        st.session_state[key] = step
    asked = st.query_params.get("step", "")
    start = int(asked) if asked.isdigit() else steps[-1]
    step = st.session_state.get(key, start)
    if key in st.session_state and step == st.session_state.get(f"{key}_end"):
        step = steps[-1]
    nearest = min(steps, key=lambda each: abs(each - step))
    if st.session_state.get(key) != nearest:
        st.session_state[key] = nearest
    st.session_state[f"{key}_end"] = steps[-1]


def _tick(key: str, steps: Sequence[int]) -> None:
    """Ask for the next step, once a second; not yet when Play was just pressed."""
    if st.session_state.get(_TICKED):
        st.session_state[_TICKED] = False
        place = steps.index(st.session_state[key])
        st.session_state[_NEXT] = (key, steps[min(place + 1, len(steps) - 1)])
        st.rerun()
    st.session_state[_TICKED] = True


def _watch(run: Run, shown: Moment) -> None:
    """Keep the newest weights fresh while somebody looks; the page runs again when they are."""
    run = run_store().run(run.id)
    if not run.is_live or newest_moment(run) != shown:
        st.rerun()

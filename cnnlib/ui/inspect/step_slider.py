"""The moment of the training that Inspect looks at: a slider over saved steps, Play, and live."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.probe.weights import moments
from cnnlib.ui.common.live_weights import ask_to_look, goes_on
from cnnlib.ui.common.network_cache import SavedStep
from cnnlib.ui.common.shared import run_store
from cnnlib.ui.common.urls import number_in_address, remember

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamlit.delta_generator import DeltaGenerator

    from cnnlib.records.run import Run

EVERY_SECONDS = 1.0  # Play goes on by a step, and a run under way is looked at again
_PLAY, _PLAYED_AT = "inspect_play", "inspect_played_at"


@dataclass(frozen=True)
class Timeline:
    """The saved steps of a run at one time.

    Args:
        moments: By step, in order; never empty.
        checkpoints: Steps from which the run can go on.
        kept: Steps whose weights stay as they are.
        follows: The run goes on, and its newest weights are among the moments: a file that is
            written over every second.
    """

    run: Run
    moments: Mapping[int, SavedStep]
    checkpoints: frozenset[int]
    kept: frozenset[int]
    follows: bool

    @property
    def steps(self) -> list[int]:
        """The steps in order."""
        return list(self.moments)

    def nearest_kept(self, step: int) -> SavedStep | None:
        """The moment that stays and is nearest to a step; None where there is none."""
        steps = [each for each in self.steps if each in self.kept]
        return self.moments[min(steps, key=lambda each: abs(each - step))] if steps else None

    @property
    def key(self) -> str:
        """Of the slider."""
        return f"inspect_step_{self.run.id}"


@dataclass(frozen=True)
class Places:
    """Where the parts stand that are drawn anew with every notch; what is around them is not."""

    buttons: DeltaGenerator
    slider: DeltaGenerator


def timeline_of(run: Run, *, follow: bool = False) -> Timeline | None:
    """The saved steps of a run; None where nothing was saved.

    Args:
        follow: Take in the newest weights of a run under way, and have them kept fresh.
    """
    changes = goes_on(run)
    if follow and changes:
        ask_to_look(run)
    saved = run_store().saved_weights(run.id)
    if changes and not follow:
        saved = [each for each in saved if each.what != "latest"]
    chosen = moments(saved)
    there = {step: SavedStep.of(run, each) for step, each in chosen.items()}
    checkpoints = frozenset(each.step for each in saved if each.what == "checkpoint")
    kept = frozenset(
        step for step, each in chosen.items() if not (changes and each.what == "latest")
    )
    return Timeline(run, there, checkpoints, kept, follow and changes) if there else None


def as_it_is_now(timeline: Timeline) -> Timeline:
    """The same a while later; the page runs again where the run has ended."""
    if not timeline.follows:
        return timeline
    run = run_store().run(timeline.run.id)
    if not run.is_live:
        st.rerun()
    return timeline_of(run, follow=True) or timeline


def looks_again_every(timeline: Timeline) -> float | None:
    """Seconds from one look to the next; None where nothing moves by itself."""
    return EVERY_SECONDS if timeline.follows or st.session_state.get(_PLAY) else None


def place_slider() -> Places:
    """Places for the slider and, to its right, its buttons."""
    with st.container(
        horizontal=True, vertical_alignment="top", gap="medium", key="inspect_moment"
    ):
        slider = st.container(width="stretch", gap=None)
        buttons = st.container(
            horizontal=True, width="content", vertical_alignment="center", gap="small"
        )
    return Places(buttons, slider)


def choose_moment(timeline: Timeline, places: Places) -> SavedStep:
    """The slider and its buttons, in their places; Play has moved it on where that is due."""
    _settle(timeline)
    steps = timeline.steps
    step = st.session_state[timeline.key]
    if len(steps) == 1:
        places.slider.caption(f"This run has one saved moment, step {step:,}.")
    else:
        with places.slider:
            st.select_slider(
                "Step of the training", steps, key=timeline.key, format_func="{:,}".format
            )
            st.html(marks_html(steps, timeline.checkpoints))
        with places.buttons:
            _buttons(timeline)
    remember("step", str(step))
    return timeline.moments[step]


def _buttons(timeline: Timeline) -> None:
    at = timeline.steps.index(st.session_state[timeline.key])
    _step_button(timeline, at - 1, "Step back", ":material/skip_previous:")
    _step_button(timeline, at + 1, "Step on", ":material/skip_next:")
    st.toggle(
        "Play", key=_PLAY, help="A saved step a second, to the last.", on_change=_begin_or_end_play
    )


def _step_button(timeline: Timeline, to: int, name: str, icon: str) -> None:
    is_there = 0 <= to < len(timeline.moments)
    st.button(
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
    """A value for the slider: what the address says at first, the end that moved on, or Play's."""
    key, end_key, steps = timeline.key, f"{timeline.key}_end", timeline.steps
    step = st.session_state.get(key, number_in_address("step"))
    if step is None or (key in st.session_state and step == st.session_state.get(end_key)):
        step = steps[-1]
    nearest = min(steps, key=lambda each: abs(each - step))
    if _play_is_due():
        nearest = next((each for each in steps if each > nearest), steps[-1])
        _play_on(ends=nearest == steps[-1])
    if st.session_state.get(key) != nearest:
        st.session_state[key] = nearest
    st.session_state[end_key] = steps[-1]


def _play_is_due() -> bool:
    """Play is on, and its last step was about a second ago: this is no person's doing."""
    if not st.session_state.get(_PLAY):
        return False
    return time.monotonic() - st.session_state.get(_PLAYED_AT, 0.0) > EVERY_SECONDS / 2


def _play_on(*, ends: bool) -> None:
    st.session_state[_PLAYED_AT] = time.monotonic()
    if ends:
        st.session_state[_PLAY] = False


def _begin_or_end_play() -> None:
    """Called back by the toggle: the whole page runs, since it says how often a part looks."""
    st.session_state[_PLAYED_AT] = time.monotonic()
    st.rerun()

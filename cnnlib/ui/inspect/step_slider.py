"""The slider over saved steps of a run, with step buttons, Play and updates of a live run."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.probe.weights import weights_by_step
from cnnlib.ui.common.saved_steps import SavedStep, request_latest_weights, weights_may_change
from cnnlib.ui.common.shared import run_store
from cnnlib.ui.common.urls import number_in_address

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from cnnlib.records.run import Run

EVERY_SECONDS = 1.0  # interval of Play and of updates of a live run
_PLAY, _PLAYED_AT = "inspect_play", "inspect_played_at"


@dataclass(frozen=True)
class Timeline:
    """The saved steps of a run at one time.

    Args:
        run: The run.
        saved_steps: Saved steps by step number, in order; never empty.
        checkpoints: Step numbers from which the run can be resumed.
        kept: Step numbers whose weights are not overwritten.
        is_live: Whether the run is live and its `latest` file, overwritten every second, is
            among the saved steps.
    """

    run: Run
    saved_steps: Mapping[int, SavedStep]
    checkpoints: frozenset[int]
    kept: frozenset[int]
    is_live: bool

    @property
    def steps(self) -> list[int]:
        """The step numbers in order."""
        return list(self.saved_steps)

    def nearest_kept(self, step: int) -> SavedStep | None:
        """Return the kept saved step nearest to a step number; None if none is kept."""
        steps = [each for each in self.steps if each in self.kept]
        if not steps:
            return None
        return self.saved_steps[min(steps, key=lambda each: abs(each - step))]

    @property
    def key(self) -> str:
        """Widget key of the slider."""
        return f"inspect_step_{self.run.id}"


@dataclass(frozen=True)
class SliderSlots:
    """Containers of the slider and its buttons, which are redrawn without the rest of the page."""

    buttons: DeltaGenerator
    slider: DeltaGenerator


def timeline_of(run: Run, *, follow: bool = False) -> Timeline | None:
    """Return the saved steps of a run; None if there are none.

    Args:
        run: The run.
        follow: Whether to include the `latest` weights of a live run, and to request fresh ones.
    """
    changes = weights_may_change(run)
    if follow and changes:
        request_latest_weights(run_store(), run)
    saved = run_store().saved_weights(run.id)
    if changes and not follow:
        saved = [each for each in saved if each.what != "latest"]
    chosen = weights_by_step(saved)
    saved_steps = {step: SavedStep.of(run, each) for step, each in chosen.items()}
    checkpoints = frozenset(each.step for each in saved if each.what == "checkpoint")
    kept = frozenset(
        step for step, each in chosen.items() if not (changes and each.what == "latest")
    )
    if not saved_steps:
        return None
    return Timeline(run, saved_steps, checkpoints, kept, follow and changes)


def refresh_timeline(timeline: Timeline) -> Timeline:
    """Read the timeline of a live run again; rerun the page if the run has ended."""
    if not timeline.is_live:
        return timeline
    run = run_store().run(timeline.run.id)
    if not run.is_live:
        st.rerun()
    return timeline_of(run, follow=True) or timeline


def refresh_interval(timeline: Timeline) -> float | None:
    """Return the seconds between updates; None for an ended run without Play."""
    return EVERY_SECONDS if timeline.is_live or st.session_state.get(_PLAY) else None


def create_slider_slots() -> SliderSlots:
    """Create containers for the slider and, below it, its buttons."""
    slider = st.container(gap=None)
    return SliderSlots(st.container(horizontal=True, vertical_alignment="center"), slider)


def choose_saved_step(timeline: Timeline, slots: SliderSlots) -> SavedStep:
    """Show the slider and its buttons, advanced by Play if due, and return the saved step."""
    _update_slider(timeline)
    steps = timeline.steps
    step = st.session_state[timeline.key]
    if len(steps) == 1:
        slots.slider.caption(f"This run has one saved step: {step:,}.")
    else:
        with slots.slider:
            st.select_slider(
                "Training step",
                steps,
                step,
                key=timeline.key,
                format_func="{:,}".format,
                help="The weights of this saved step are shown. A step is one update of the "
                "weights by the optimiser.",
            )
            st.html(marks_html(steps, timeline.checkpoints))
        with slots.buttons:
            _show_buttons(timeline)
    return timeline.saved_steps[step]


def _show_buttons(timeline: Timeline) -> None:
    """Show the step buttons and the Play toggle."""
    index = timeline.steps.index(st.session_state[timeline.key])
    _step_button(timeline, index - 1, "Step back", "Previous step", ":material/skip_previous:")
    _step_button(timeline, index + 1, "Step on", "Next step", ":material/skip_next:")
    st.toggle(
        "Play",
        key=_PLAY,
        help="Shows the next saved step every second, until the last one.",
        on_change=_on_play_toggled,
    )


def _step_button(timeline: Timeline, target: int, name: str, tooltip: str, icon: str) -> None:
    """Show a button that moves the slider to a position; disabled if there is none."""
    exists = 0 <= target < len(timeline.saved_steps)
    st.button(
        "",
        icon=icon,
        key=f"inspect_{name.lower().replace(' ', '_')}",
        help=tooltip,
        disabled=not exists,
        on_click=st.session_state.__setitem__,
        args=(timeline.key, timeline.steps[target] if exists else 0),
    )


def marks_html(steps: Sequence[int], checkpoints: frozenset[int]) -> str:
    """Return the HTML of a tick below each slider position, with a dot for a checkpoint."""
    marks = []
    for position, step in enumerate(steps):
        left = 100 * position / (len(steps) - 1)
        is_checkpoint = step in checkpoints
        style = (
            "width:8px;height:8px;border-radius:50%;background:var(--accent)"
            if is_checkpoint
            else "width:1px;height:8px;background:currentColor;opacity:0.4"
        )
        title = f"step {step:,}" + (", checkpoint" if is_checkpoint else "")
        marks.append(
            f'<span title="{title}" style="position:absolute;left:{left:.2f}%;'
            f'transform:translateX(-50%);{style}"></span>'
        )
    ticks = f'<div style="position:relative;height:10px;margin:0 6px">{"".join(marks)}</div>'
    if not checkpoints & set(steps):
        return ticks
    return ticks + (
        '<div style="font-size:0.75rem;opacity:0.8;margin-top:2px">'
        "Dots: checkpoints (saved states). A run can be resumed or forked from them.</div>"
    )


def _update_slider(timeline: Timeline) -> None:
    """Set the slider: initially from the address; then with the moving end of a run, or by Play."""
    key, end_key, steps = timeline.key, f"{timeline.key}_end", timeline.steps
    step = st.session_state.get(key, number_in_address("step"))
    if step is None:
        step = steps[-1] if timeline.run.weights_step is None else timeline.run.weights_step
    elif key in st.session_state and step == st.session_state.get(end_key):
        step = steps[-1]
    nearest = min(steps, key=lambda each: abs(each - step))
    if _play_is_due():
        nearest = next((each for each in steps if each > nearest), steps[-1])
        _record_play(is_end=nearest == steps[-1])
    if st.session_state.get(key) != nearest:
        st.session_state[key] = nearest
    st.session_state[end_key] = steps[-1]


def _play_is_due() -> bool:
    """Return whether Play is on and its last step was about a second ago."""
    if not st.session_state.get(_PLAY):
        return False
    return time.monotonic() - st.session_state.get(_PLAYED_AT, 0.0) > EVERY_SECONDS / 2


def _record_play(*, is_end: bool) -> None:
    """Store the time of a step of Play; switch Play off at the last step."""
    st.session_state[_PLAYED_AT] = time.monotonic()
    if is_end:
        st.session_state[_PLAY] = False


def _on_play_toggled() -> None:
    """Widget callback: rerun the whole page, which sets the fragment's interval."""
    st.session_state[_PLAYED_AT] = time.monotonic()
    st.rerun()

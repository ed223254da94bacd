"""Widgets that the page writes to, while the browser may still hold what they showed before.

A slider's change makes the page write other widgets: the width rewrites the list of channels. The
browser may send the slider's next change before it hears of that, and the old list with it.
Streamlit then reports two changes, of which one is no person's; taken at its word, the old list
would turn the slider back. So changes are noted as they are reported, and sorted out together: of
several, those are dropped that only repeat what the page itself once wrote there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from collections.abc import Callable

    from cnnlib.ui.build.state import BuildState

_CALLBACKS = "build_callbacks"  # how many were called in this rerun
_NOTED = "build_noted"  # the changes among them
_WRITTEN = "build_written"  # key -> the values that the browser may still hold
_MOST_KEPT = 40


@dataclass(frozen=True)
class Change:
    """A widget's change, as Streamlit reports it.

    Args:
        carry_out: What it means for the desk.
        control: Where to tell what is wrong with it.
    """

    key: str
    value: Any
    carry_out: Callable[[BuildState], BuildState]
    control: str


def show_value(key: str, value: Any) -> None:
    """Make a widget show a value; one that does already is left alone."""
    held = st.session_state.get(key)
    if key in st.session_state and held == value:
        return
    written = st.session_state.setdefault(_WRITTEN, {})
    written[key] = (*written.get(key, ()), held, value)[-_MOST_KEPT:]
    st.session_state[key] = value


def note(key: str, carry_out: Callable[[BuildState], BuildState], control: str) -> None:
    """Called back by a widget with a new value: note it for `take_changes`."""
    called_back()
    changes = st.session_state.setdefault(_NOTED, [])
    changes.append(Change(key, st.session_state[key], carry_out, control))


def called_back() -> None:
    """Called back by what has no value, or one that the desk does not care for."""
    st.session_state[_CALLBACKS] = st.session_state.get(_CALLBACKS, 0) + 1


def take_changes() -> tuple[bool, list[Change]]:
    """Whether a person used the page in this rerun, and what they changed."""
    callbacks = st.session_state.pop(_CALLBACKS, 0)
    changes: list[Change] = st.session_state.pop(_NOTED, [])
    if callbacks > 1:
        written = st.session_state.get(_WRITTEN, {})
        changes = [c for c in changes if c.value not in written.get(c.key, ())]
    return callbacks > 0, changes

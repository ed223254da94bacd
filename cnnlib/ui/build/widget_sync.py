"""Values written to widgets while the browser may still hold their old values.

A slider's change makes the page write other widgets: the width rewrites the list of channels. The
browser may send the slider's next change before it receives the new list, and the old list with
it. Streamlit then reports two changes, one of which the user did not make; applied, the old list
would move the slider back. So reported changes are recorded and filtered together: of several,
those that only repeat a value that the page itself wrote there are dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from cnnlib.ui.build.state import BuildState

_CALLBACKS = "build_callbacks"  # number of callbacks in this rerun
_RECORDED = "build_noted"  # the changes that they recorded
_WRITTEN = "build_written"  # key -> values that the browser may still hold
_MOST_KEPT = 40


@dataclass(frozen=True)
class Change:
    """A widget's change, as Streamlit reports it.

    Args:
        key: Key of the widget.
        value: Its new value.
        apply: The change of the state.
        control: The control beside which an error is shown.
    """

    key: str
    value: Any
    apply: Callable[[BuildState], BuildState]
    control: str


def show_value(key: str, value: Any) -> Any:
    """Set the value of a widget, unless it has that value already; return it.

    The widget needs it as its default, too: if a click ends the first rerun before the browser has
    received the widget, the browser never learns the value that was set, and shows the default.
    """
    held = st.session_state.get(key)
    if key not in st.session_state or held != value:
        written = st.session_state.setdefault(_WRITTEN, {})
        written[key] = (*written.get(key, ()), held, value)[-_MOST_KEPT:]
        st.session_state[key] = value
    return value


def record_change(key: str, apply: Callable[[BuildState], BuildState], control: str) -> None:
    """Widget callback: record the new value for `take_changes`."""
    count_callback()
    changes = st.session_state.setdefault(_RECORDED, [])
    changes.append(Change(key, st.session_state[key], apply, control))


def count_callback() -> None:
    """Count a callback in this rerun; itself the callback of widgets with no value to record."""
    st.session_state[_CALLBACKS] = st.session_state.get(_CALLBACKS, 0) + 1


def take_changes() -> tuple[bool, list[Change]]:
    """Whether a widget caused this rerun, and the changes that the user made; clears both."""
    callbacks = st.session_state.pop(_CALLBACKS, 0)
    changes: list[Change] = st.session_state.pop(_RECORDED, [])
    if callbacks > 1:
        written = st.session_state.get(_WRITTEN, {})
        changes = [c for c in changes if c.value not in written.get(c.key, ())]
    for change in changes:  # the browser does not hold an earlier value any more
        st.session_state.get(_WRITTEN, {}).pop(change.key, None)
    return callbacks > 0, changes

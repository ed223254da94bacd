"""The state of the Build page in a session: kept between reruns, in sync with the address bar.

Two things change what the page shows: a control, and the address bar (a link is opened, or the
browser goes back). In a rerun that a control caused, the control wins, because the browser may not
have received the newest address yet; in any other rerun, the address wins.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from cnnlib.data.catalogue import catalogue
from cnnlib.design import link
from cnnlib.design.presets import preset
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import CnnlibError, SpecError
from cnnlib.records.dataset import DatasetInfo
from cnnlib.ui.build.field_labels import with_form_label
from cnnlib.ui.build.side_effects import side_effects
from cnnlib.ui.build.state import BuildState, Draft, with_change
from cnnlib.ui.build.widget_sync import count_callback, take_changes
from cnnlib.ui.common.format import escape_markdown
from cnnlib.ui.common.messages import show_error
from cnnlib.ui.common.shared import available_datasets, default_dataset, folders
from cnnlib.ui.common.urls import keep_design, kept_design

_STATE = "build_state"
_INITIAL = "build_first_state"
_INITIAL_PRESET = "lenet5"
_ADDRESS = "build_address"  # the parameters of the address bar when they were last read or written
_NOTICE = "build_notice"  # a sentence to show once
_ERRORS = "build_wrong"  # control -> the error of the last value written into it
_EFFECTS = "build_effects"  # control -> what its last change changed in other fields
# Changes that replace the whole design, so that no error of the earlier design is left.
_REPLACEMENTS = ("preset", "undo", "redo", "upload", "open")
_HERE = "build_dataset"  # key of a menu of this page: missing after a visit to another page


def current_state() -> BuildState:
    """The state of the page in this session."""
    return st.session_state[_STATE]


def sync_from_address(infos: Sequence[DatasetInfo]) -> None:
    """Apply recorded changes and the address bar to the state; first in every rerun."""
    st.session_state.setdefault(_ERRORS, {})
    st.session_state.setdefault(_EFFECTS, {})
    params = st.query_params.to_dict()
    was_used, changes = take_changes()
    is_new = _STATE not in st.session_state
    has_arrived = _HERE not in st.session_state
    if is_new:
        st.session_state[_STATE] = _initial_state(infos)
    if was_used or "design" in params:
        st.session_state[_EFFECTS] = {}
    for change in changes:
        _apply(change.apply, change.control)
    if "design" in params:
        if is_new or not (was_used or params == st.session_state.get(_ADDRESS)):
            _open_address(params, infos)
        if is_new:
            st.session_state[_STATE] = replace(current_state(), past=())  # nothing to undo yet
    elif has_arrived:
        _open_kept_design(infos)
    elif not was_used and st.session_state.get(_ADDRESS):  # back to the address without a design
        _open_address(_initial_state(infos).address(), infos)


def sync_to_address(infos: Sequence[DatasetInfo]) -> None:
    """Write the state to the address bar; last in every rerun."""
    state = current_state()
    address = state.address()
    params = {} if address == _initial_state(infos).address() else address
    if st.query_params.to_dict() != params:
        st.query_params.from_dict(params)
    st.session_state[_ADDRESS] = params
    keep_design(link.encode(state.valid))


def apply_change(change: Callable[[BuildState], BuildState], control: str = "") -> None:
    """Button callback: change the state; an error is shown beside the control."""
    count_callback()
    _apply(change, control)


def draft_change(
    change: Callable[[Draft], Draft], control: str
) -> Callable[[BuildState], BuildState]:
    """Turn a change of the draft into a change of the state, one step of undo."""

    def changed(state: BuildState) -> BuildState:
        now = time.monotonic()
        return state.changed(change(state.base_draft(control)), control, now)

    return changed


def spec_change(
    change: Callable[[CNNSpec], CNNSpec], control: str
) -> Callable[[BuildState], BuildState]:
    """Turn a change of the spec into a change of the state.

    Where the size of its images or its number of classes changes, so does the dataset.
    """

    def changed(draft: Draft) -> Draft:
        after = with_change(draft, change, control)
        before, spec = draft.spec, after.spec
        if (spec.in_size, spec.out_classes) == (before.in_size, before.out_classes):
            return after
        infos = available_datasets(catalogue(folders()))
        return with_fitting_dataset(replace(after, dataset=""), infos)

    return draft_change(changed, control)


def keep_valid(spec: CNNSpec) -> None:
    """Store a design for which `plan` succeeded; it is shown while later drafts are invalid."""
    if current_state().valid != spec:
        st.session_state[_STATE] = replace(current_state(), valid=spec)


def apply_repair(fields: Mapping[str, Any]) -> None:
    """Button callback: apply the repair of a SpecError."""
    apply_change(spec_change(lambda spec: replace(spec, **fields), ""))


def control_error(control: str) -> str:
    """The error of the last value written into a control; "" where there is none."""
    return st.session_state[_ERRORS].get(control, "")


def show_control_messages(control: str) -> None:
    """Show the error of the last value written into a control, and its effects on other fields."""
    if sentence := control_error(control):
        show_error(sentence)
    if sentence := st.session_state[_EFFECTS].get(control):
        st.caption(f":material/info: {escape_markdown(sentence)}")


def take_notice() -> str:
    """The sentence to show once, or ""; a second call returns ""."""
    return st.session_state.pop(_NOTICE, "")


def with_fitting_dataset(draft: Draft, infos: Sequence[DatasetInfo]) -> Draft:
    """A draft with its own dataset if that fits, else with one that does, else with none."""
    spec = draft.spec
    fitting = [i for i in infos if (i.in_size, len(i.classes)) == (spec.in_size, spec.out_classes)]
    here_first = sorted(fitting, key=lambda info: info.state == "download")
    names = [info.name for info in here_first]
    return replace(
        draft, dataset=draft.dataset if draft.dataset in names else next(iter(names), "")
    )


def _apply(change: Callable[[BuildState], BuildState], control: str) -> None:
    """Change the state, or store the error of the control; a new design clears all errors."""
    errors: dict[str, str] = st.session_state[_ERRORS]
    errors.pop(control, None)
    before = current_state()
    try:
        after = st.session_state[_STATE] = change(before)
    except CnnlibError as error:
        errors[control] = with_form_label(str(error), control)
        after = st.session_state[_STATE] = before.without_misfit(control, time.monotonic())
        st.session_state[_EFFECTS][control] = side_effects(before.draft, after.draft, control)
        return
    if control in _REPLACEMENTS:
        errors.clear()
    elif control != "repair" and after.draft != before.draft:
        st.session_state[_EFFECTS][control] = side_effects(after.past[-1], after.draft, control)


def _initial_state(infos: Sequence[DatasetInfo]) -> BuildState:
    """The state that a session starts with; the same throughout the session."""
    if _INITIAL not in st.session_state:
        info = default_dataset(infos)
        spec = preset(_INITIAL_PRESET).adapt(info.in_size, len(info.classes))
        st.session_state[_INITIAL] = BuildState(Draft(spec, info.name), valid=spec)
    return st.session_state[_INITIAL]


def _open_address(params: Mapping[str, str], infos: Sequence[DatasetInfo]) -> None:
    """Restore the state from an address; from a damaged one, the initial state and a notice."""
    st.session_state[_ERRORS].clear()
    try:
        opened = current_state().opened(params, time.monotonic())
    except SpecError as error:
        st.session_state[_STATE] = _initial_state(infos)
        shown_instead = "The page shows the default design instead."
        st.session_state[_NOTICE] = f"{with_form_label(str(error))} {shown_instead}"
        return
    draft = with_fitting_dataset(opened.draft, infos)
    st.session_state[_STATE] = replace(opened, draft=draft)


def _open_kept_design(infos: Sequence[DatasetInfo]) -> None:
    """Open the design that another page stored in the session, if it differs from the shown one."""
    kept = kept_design()
    state = current_state()
    if kept and kept != link.encode(state.valid):
        st.session_state[_ERRORS].clear()
        draft = with_fitting_dataset(Draft(link.decode(kept), state.draft.dataset), infos)
        st.session_state[_STATE] = state.changed(draft, "kept", time.monotonic())

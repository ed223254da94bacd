"""The desk of this session: kept between reruns and pages, in step with the address bar.

Two things can change what the page shows: a control, and the address bar (a link is opened, or the
browser goes back). In a rerun in which a control was used, the control wins, because the browser
may not have heard of the newest address yet; in any other, the address wins.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.data.catalogue import catalogue
from cnnlib.design import link
from cnnlib.design.presets import preset
from cnnlib.errors import CnnlibError, SpecError
from cnnlib.ui.build.state import BuildState, Draft
from cnnlib.ui.build.widget_sync import called_back, take_changes
from cnnlib.ui.common.defaults import default_dataset
from cnnlib.ui.common.messages import show_error
from cnnlib.ui.common.shared import folders
from cnnlib.ui.common.urls import keep_design, kept_design

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cnnlib.design.spec import CNNSpec
    from cnnlib.records.dataset import DatasetInfo

_DESK = "build_desk"
_FIRST = "build_first_desk"
_FIRST_PRESET = "lenet5"
_ADDRESS = "build_address"  # what the address bar said when this session last read or wrote it
_NOTICE = "build_notice"  # a sentence to show once
_WRONG = "build_wrong"  # control -> what is wrong with what was written into it
_HERE = "build_dataset"  # key of a menu of this page: gone once the person was on another page


def desk() -> BuildState:
    """What lies on the desk."""
    return st.session_state[_DESK]


def open_desk(infos: Sequence[DatasetInfo]) -> None:
    """Bring the desk in step with the address bar; first of all in every rerun."""
    st.session_state.setdefault(_WRONG, {})
    told = st.query_params.to_dict()
    was_used, changes = take_changes()
    is_new = _DESK not in st.session_state
    has_arrived = _HERE not in st.session_state
    if is_new:
        st.session_state[_DESK] = _first_desk(infos)
    for change in changes:
        _carry_out(change.carry_out, change.control)
    if "design" in told:
        if is_new or not (was_used or told == st.session_state.get(_ADDRESS)):
            _open_address(told, infos)
        if is_new:
            st.session_state[_DESK] = replace(desk(), past=())  # nothing was done here before
    elif has_arrived:
        _open_kept(infos)
    elif not was_used and st.session_state.get(_ADDRESS):  # back to the address without a design
        _open_address(_first_desk(infos).address(), infos)


def close_desk(infos: Sequence[DatasetInfo]) -> None:
    """Bring the address bar in step with the desk; last of all in every rerun."""
    now = desk()
    told = {} if now.address() == _first_desk(infos).address() else now.address()
    if st.query_params.to_dict() != told:
        st.query_params.from_dict(told)
    st.session_state[_ADDRESS] = told
    keep_design(link.encode(now.valid))


def act(change: Callable[[BuildState], BuildState], control: str = "") -> None:
    """Called back by a button: change the desk; what goes wrong is told beside the control."""
    called_back()
    _carry_out(change, control)


def on_draft(change: Callable[[Draft], Draft], control: str) -> Callable[[BuildState], BuildState]:
    """A change of the draft as one of the desk, one step of undo."""

    def changed(desk: BuildState) -> BuildState:
        now = time.monotonic()
        return desk.changed(change(desk.before(control, now)), control, now)

    return changed


def on_spec(
    change: Callable[[CNNSpec], CNNSpec], control: str
) -> Callable[[BuildState], BuildState]:
    """A change of the spec as one of the desk; where its images change, so does the dataset."""

    def changed(draft: Draft) -> Draft:
        spec = change(draft.spec)
        if (spec.in_size, spec.out_classes) == (draft.spec.in_size, draft.spec.out_classes):
            return Draft(spec, draft.dataset)
        return on_fitting_dataset(Draft(spec, ""), catalogue(folders()))

    return on_draft(changed, control)


def keep_valid(spec: CNNSpec) -> None:
    """Remember a design that planned: it stays on screen while the next ones do not."""
    if desk().valid != spec:
        st.session_state[_DESK] = replace(desk(), valid=spec)


def mend(fields: Mapping[str, Any]) -> None:
    """Carry out the repair that a SpecError offers."""
    act(on_spec(lambda spec: replace(spec, **fields), "repair"))


def whats_wrong(control: str) -> str:
    """What is wrong with what was written into a control; "" where nothing is."""
    return st.session_state[_WRONG].get(control, "")


def tell_wrong(control: str) -> None:
    """Say what is wrong with what was written into a control, if something is."""
    if sentence := whats_wrong(control):
        show_error(sentence)


def notice() -> str:
    """The sentence to show once, or ""."""
    return st.session_state.pop(_NOTICE, "")


def on_fitting_dataset(draft: Draft, infos: Sequence[DatasetInfo]) -> Draft:
    """A draft on its own dataset if that fits, else on one that does, else on none."""
    spec = draft.spec
    fitting = [i for i in infos if (i.in_size, len(i.classes)) == (spec.in_size, spec.out_classes)]
    here_first = sorted(fitting, key=lambda info: info.state == "download")
    names = [info.name for info in here_first]
    return Draft(spec, draft.dataset if draft.dataset in names else next(iter(names), ""))


def _carry_out(change: Callable[[BuildState], BuildState], control: str) -> None:
    wrong: dict[str, str] = st.session_state[_WRONG]
    wrong.pop(control, None)
    try:
        st.session_state[_DESK] = change(desk())
    except CnnlibError as error:
        wrong[control] = str(error)


def _first_desk(infos: Sequence[DatasetInfo]) -> BuildState:
    """What a person finds who comes for the first time; the same all through a session."""
    if _FIRST not in st.session_state:
        info = default_dataset(infos)
        spec = preset(_FIRST_PRESET).adapt(info.in_size, len(info.classes))
        st.session_state[_FIRST] = BuildState(Draft(spec, info.name), valid=spec)
    return st.session_state[_FIRST]


def _open_address(told: Mapping[str, str], infos: Sequence[DatasetInfo]) -> None:
    """The page that an address describes, or the first desk and a sentence."""
    try:
        opened = desk().opened(told, time.monotonic())
    except SpecError as error:
        st.session_state[_DESK] = _first_desk(infos)
        first = "Shown instead: the design that everybody starts with."
        st.session_state[_NOTICE] = f"{error} {first}"
        return
    draft = on_fitting_dataset(opened.draft, infos)
    st.session_state[_DESK] = replace(opened, draft=draft)
    st.session_state[_WRONG].clear()


def _open_kept(infos: Sequence[DatasetInfo]) -> None:
    """The design that another page has put into this session's hands, if it is not the desk's."""
    kept = kept_design()
    if kept and kept != link.encode(desk().valid):
        draft = on_fitting_dataset(Draft(link.decode(kept), desk().draft.dataset), infos)
        st.session_state[_DESK] = desk().changed(draft, "kept", time.monotonic())

"""The Lab page in a session: its state, the sketch of the browser, and the actions of a person."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from cnnlib.data.catalogue import dataset_info
from cnnlib.data.prepare import prepare
from cnnlib.design.columns import planned_design
from cnnlib.design.link import decode, encode
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import CnnlibError, StoreError
from cnnlib.experiments.duel_statistics import DEFAULT_MOST_PAIRS
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.run import Origin, Run
from cnnlib.runs.sketches import Sketch
from cnnlib.train.submit import submit_runs
from cnnlib.ui.common.field_labels import LAB_LABELS, with_label
from cnnlib.ui.common.identity import browser_key
from cnnlib.ui.common.shared import fetch_prepared, folders, run_store, settings
from cnnlib.ui.common.urls import at_root, keep_design
from cnnlib.ui.lab.rivals import start_comparison
from cnnlib.ui.lab.state import LabState, changed_recipe, epochs_begun

_STATE, _ADDRESS, _PLAIN, _DONE = "lab_state", "lab_address", "lab_plain", "lab_done"
_ALWAYS_THERE = "digits"
_IN_TRAINING = ("queued", "starting", "running")
_NO_SETTINGS = ("kind", "fresh", "number")  # of an action that changes the recipe


def current_state(infos: Sequence[DatasetInfo]) -> LabState:
    """Return the state: of this session, or of the address where it is another one.

    On the first visit of a session it is that of the browser's sketch, if there is one.
    """
    params = st.query_params.to_dict()
    state: LabState | None = st.session_state.get(_STATE)
    if state is None and not params:
        state = _first_state(infos)
        st.session_state[_PLAIN] = state.address(_info_of(state))
    elif state is None or (params and params != st.session_state.get(_ADDRESS)):
        opened = _state_from(params, infos)
        state = opened if state is None else opened.with_steps_of(state)
    st.session_state[_STATE] = state
    return state


def write_address(state: LabState, info: DatasetInfo) -> None:
    """Put the state into the address, and the design into the forms of other pages.

    The plain address stands for the state that it opened, as long as nothing is changed.
    """
    params, shown = state.address(info), st.query_params.to_dict()
    if not shown and params == st.session_state.get(_PLAIN):
        return
    if shown != params:
        st.query_params.from_dict(params)
    st.session_state[_ADDRESS] = params
    keep_design(encode(state.spec))


def shown_sketch(state: LabState) -> Sketch | None:
    """Return the browser's sketch if it has the dataset and the design of the state."""
    sketch = run_store().sketches.of_browser(browser_key(settings()))
    return sketch if sketch is not None and state.fits(sketch.run.request) else None


def shown_run(state: LabState) -> Sketch | None:
    """Return the sketch, or, where there is none, the kept run with the state's design."""
    if (sketch := shown_sketch(state)) is not None:
        return sketch
    kept = _kept_run(state)
    return Sketch(kept) if kept is not None and state.fits(kept.request) else None


def _kept_run(state: LabState) -> Run | None:
    """Return the run that was kept as it is; None without one, or after its deletion."""
    if state.kept:
        with suppress(StoreError):
            return run_store().run(state.kept)
    return None


def act_all(actions: Sequence[Any]) -> None:
    """Do what a person did, in order, except what was done before: the browser sends it again."""
    for action in actions:
        match action:
            case {"number": int(number)} if number > last_done():
                st.session_state[_DONE] = number
                act(action)


def last_done() -> int:
    """Return the number of the last action that was done; 0 before the first."""
    return int(st.session_state.get(_DONE, 0))


def act(action: Mapping[str, Any]) -> None:
    """Do what a person did on the page; an error becomes the message of the state."""
    if _STATE not in st.session_state:  # the server was restarted; the page shows its first state
        return
    state = replace(st.session_state[_STATE], message="", subject="")
    do = _ACTIONS.get(str(action.get("kind")))
    try:
        if do is not None:
            state = do(state, action)
    except CnnlibError as error:
        state = replace(state, message=with_label(str(error), LAB_LABELS))
    st.session_state[_STATE] = state


def choose_awaited(state: LabState) -> LabState:
    """Choose the dataset that was awaited, if it is prepared now; tell if that failed."""
    job = run_store().jobs.latest("prepare", {"name": state.awaited})
    if job is not None:
        fetch_prepared(job)
    info = dataset_info(state.awaited, folders())
    if info.state == "prepared" and state.awaited_params:
        state = LabState.from_address(dict(state.awaited_params), info)
    elif info.state == "prepared":
        state = _with_dataset(state, info)
    elif job is not None and job.is_live:
        return state
    else:
        reason = job.reason if job is not None else ""
        state = replace(state, awaited="", message=reason or f"{info.title} is not prepared.")
    st.session_state[_STATE] = state
    return state


# -- states ----------------------------------------------------------------------------------------


def _first_state(infos: Sequence[DatasetInfo]) -> LabState:
    sketch = run_store().sketches.of_browser(browser_key(settings()))
    if sketch is not None:
        request = sketch.run.request
        return LabState(request.spec, request.recipe, request.dataset, request.seed)
    info = next((info for info in infos if info.state == "prepared"), None)
    return LabState.initial(info or _prepared_now(_ALWAYS_THERE))


def _state_from(params: Mapping[str, str], infos: Sequence[DatasetInfo]) -> LabState:
    """Return the state of an address; a damaged one gives the first state with a sentence."""
    wanted = params.get("dataset")
    info = next((info for info in infos if info.name == wanted), None)
    try:
        if wanted and info is None:
            info = dataset_info(wanted, folders())
        if info is not None and info.name == _ALWAYS_THERE and info.state != "prepared":
            info = _prepared_now(info.name)
        if info is not None and info.state != "prepared":
            run_store().jobs.submit("prepare", {"name": info.name})
            first = _first_state(infos)
            return replace(first, awaited=info.name, awaited_params=tuple(params.items()))
        if info is None:
            return LabState.from_address(params, _info_of(_first_state(infos)))
        return LabState.from_address(params, info)
    except CnnlibError as error:
        if info is not None and info.state == "prepared":
            return replace(LabState.initial(info), message=str(error))
        return replace(_first_state(infos), message=str(error))


def _info_of(state: LabState) -> DatasetInfo:
    return dataset_info(state.dataset, folders())


def _prepared_now(name: str) -> DatasetInfo:
    """Prepare a small dataset that needs no download, at once."""
    for _ in prepare(name, folders()):
        pass
    return dataset_info(name, folders())


# -- actions ---------------------------------------------------------------------------------------


def _start(state: LabState, *, paused: bool = False) -> None:
    """Begin a sketch, from the weights of the kept run if there is one."""
    request = replace(state.sketch_request(), origin=_kept_origin(state))
    run_store().sketches.start(browser_key(settings()), request, paused=paused)


def _kept_origin(state: LabState) -> Origin | None:
    """Return the last step of the kept run.

    Raises:
        StoreError: It has not ended yet, or has no checkpoint.
    """
    if (run := _kept_run(state)) is None:
        return None
    if run.is_live:
        raise StoreError(f"{run.title} is being measured. Go on with it in a moment.")
    saved = run_store().saved_weights(run.id)
    steps = [each.step for each in saved if each.what == "checkpoint"]
    if not steps:
        raise StoreError(f"{run.title} has no checkpoint to go on from. Start again instead.")
    return Origin(run.id, max(steps), fitting=True)


def _play(state: LabState, action: Mapping[str, Any]) -> LabState:
    sketch = shown_sketch(state)
    if sketch is None or sketch.run.state in ("failed", "diverged", "finished"):
        _start(state)
    else:
        run_store().sketches.play(sketch.run.id)
    return state


def _step(state: LabState, action: Mapping[str, Any]) -> LabState:
    sketch = shown_sketch(state)
    if sketch is None:
        _start(state, paused=True)
    else:
        run_store().sketches.step(sketch.run.id)
    return state


def _pause(state: LabState, action: Mapping[str, Any]) -> LabState:
    if (sketch := shown_sketch(state)) is not None:
        run_store().sketches.pause(sketch.run.id)
    return state


def _restart(state: LabState, action: Mapping[str, Any]) -> LabState:
    fresh = replace(state, kept="")
    _start(fresh)
    return fresh


def _design(state: LabState, action: Mapping[str, Any]) -> LabState:
    planned = planned_design(CNNSpec.from_dict(action.get("spec", {})))
    return _go_on(state, state.with_spec(CNNSpec.from_dict(planned["spec"])), action)


def _recipe(state: LabState, action: Mapping[str, Any]) -> LabState:
    changes = {name: value for name, value in action.items() if name not in _NO_SETTINGS}
    changed = replace(state, recipe=changed_recipe(state.recipe, changes))
    sketch = shown_sketch(state)
    if sketch is not None and changes.keys() == {"lr"} and sketch.run.is_live:
        run_store().sketches.set_lr(sketch.run.id, changed.recipe.lr)
        return changed
    return _go_on(state, changed, action)


def _go_on(before: LabState, after: LabState, action: Mapping[str, Any]) -> LabState:
    """Let the sketch of the state before go on with the design and recipe of the one after.

    With ``"fresh": True`` in the action another sketch begins, at once if this one trains.
    """
    if action.get("fresh"):
        after = replace(after, kept="")
    sketch = shown_sketch(before)
    if sketch is None or after.sketch_request() == before.sketch_request():
        return after
    if not action.get("fresh"):
        run_store().sketches.change(sketch.run.id, after.sketch_request())
    elif sketch.run.state in _IN_TRAINING:
        _start(after)
    else:
        run_store().sketches.end(sketch.run.id)
    return after


def _dataset(state: LabState, action: Mapping[str, Any]) -> LabState:
    info = dataset_info(str(action.get("name", "")), folders())
    if info.state != "prepared":
        run_store().jobs.submit("prepare", {"name": info.name})
        return replace(state, awaited=info.name)
    return _with_dataset(state, info)


def _with_dataset(state: LabState, info: DatasetInfo) -> LabState:
    """Choose a prepared dataset; a network in training is trained on it at once."""
    sketch, after = shown_sketch(state), state.with_dataset(info)
    if sketch is not None and sketch.run.state in _IN_TRAINING:
        _start(after)
    return after


def _picture(state: LabState, action: Mapping[str, Any]) -> LabState:
    index = action.get("index")
    return state.with_picture(index, _info_of(state)) if isinstance(index, int) else state


def _steps(state: LabState, action: Mapping[str, Any]) -> LabState:
    """Take the steps of undo and redo that the browser kept over a reload."""
    past, future = ([decode(link) for link in action.get(name, [])] for name in ("past", "future"))
    return state.with_steps(past, future)


def _keep(state: LabState, action: Mapping[str, Any]) -> LabState:
    """Keep the sketch as it is, or train the same design and settings from fresh weights."""
    sketch = shown_sketch(state)
    if sketch is None:
        return state
    run_id = sketch.run.id
    if action.get("clean", True):
        request = replace(state.clean_request(_epochs_of(sketch)), name="")
        [run_id] = submit_runs(run_store(), request)
        message = f"{run_store().run(run_id).title} is queued. It trains from fresh weights."
    else:
        run_store().sketches.keep(run_id, name=state.run_name)
        state = replace(state, kept=run_id)
        message = f"This run is kept as {run_store().run(run_id).title}."
    return replace(state, message=message, subject=at_root(f"train?{urlencode({'run': run_id})}"))


def _compare(state: LabState, action: Mapping[str, Any]) -> LabState:
    """Start a duel against another design; its runs train from fresh weights."""
    store, sketch = run_store(), shown_sketch(state)
    epochs = 1 if sketch is None else _epochs_of(sketch)
    duel = start_comparison(state, str(action.get("rival")), epochs, _info_of(state), store)
    return replace(
        state,
        message="The comparison has begun: both designs are trained from the start, in up to "
        f"{DEFAULT_MOST_PAIRS} pairs with equal seeds. The Lab waits for its runs.",
        subject=at_root(f"results?{urlencode({'duel': duel})}"),
    )


def _epochs_of(sketch: Sketch) -> int:
    return epochs_begun(sketch.run.step, sketch.run.summary.get("batches_per_epoch", 0))


_ACTIONS: dict[str, Callable[[LabState, Mapping[str, Any]], LabState]] = {
    "play": _play,
    "pause": _pause,
    "step": _step,
    "restart": _restart,
    "design": _design,
    "recipe": _recipe,
    "dataset": _dataset,
    "picture": _picture,
    "steps": _steps,
    "undo": lambda state, action: _go_on(state, state.undone(), action),
    "redo": lambda state, action: _go_on(state, state.redone(), action),
    "keep": _keep,
    "compare": _compare,
}

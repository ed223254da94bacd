"""The design picker: the design from Build, a preset, or the design of a past run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from cnnlib.design.link import decode, encode
from cnnlib.design.plan import plan
from cnnlib.design.presets import adapt, preset, preset_of, presets
from cnnlib.design.spec import CNNSpec
from cnnlib.records.dataset import DatasetInfo
from cnnlib.records.run import Run
from cnnlib.ui.common.format import size
from cnnlib.ui.common.pickers.run_menu import run_titles
from cnnlib.ui.common.urls import BUILD, in_address, kept_design

OWN, PRESET, PAST = "Your design", "A preset", "A past run"


@dataclass(frozen=True)
class ChosenDesign:
    """A design before it is fitted, and the name of its preset ("" if it is none)."""

    spec: CNNSpec
    preset: str = ""


def choose_design(default_preset: str, runs: Sequence[Run]) -> ChosenDesign:
    """Show the fields of one of the three sources of a design, and return the design.

    Raises:
        SpecError: The link in the page's address is invalid.
    """
    link = in_address("design") or kept_design()
    sources = [name for name, exists in ((OWN, link), (PRESET, True), (PAST, runs)) if exists]
    source = PRESET
    if len(sources) > 1:
        source = st.segmented_control(
            "Design",
            sources,
            default=sources[0],
            required=True,
            key=f"train_design_way_{bool(link)}",
            help="Your design is the one that you last opened on the Build page.",
        )
    if source == OWN and link is not None:
        spec = decode(link)
        return ChosenDesign(spec, preset_of(spec))
    return _choose_run(runs) if source == PAST else _choose_preset(default_preset)


def fit(chosen: ChosenDesign, info: DatasetInfo) -> CNNSpec:
    """Adapt a design to the picture size and the classes of a dataset.

    Raises:
        SpecError: It cannot be adapted.
    """
    spec = adapt(chosen.spec, info.in_size, len(info.classes))
    plan(spec)
    return spec


def show_design(chosen: ChosenDesign, fitted: CNNSpec, dataset: str) -> None:
    """Say if the design was adapted to the dataset, and show a link to change it in Build."""
    if chosen.spec.in_size != fitted.in_size:
        before, after = size(chosen.spec.in_size), size(fitted.in_size)
        st.caption(f"Adapted from {before} to {after} pictures.")
    st.page_link(
        BUILD,
        label="Edit in Build",
        icon=":material/layers:",
        query_params={"design": encode(fitted), "dataset": dataset},
    )


_PRESET_KEY, _IS_OWN_CHOICE = "train_preset", "train_preset_chosen"


def _choose_preset(default: str) -> ChosenDesign:
    """Show the menu of presets; it has the default of the dataset until a person chooses one."""
    titles = {each.name: each.title for each in presets()}
    if not st.session_state.get(_IS_OWN_CHOICE):
        st.session_state[_PRESET_KEY] = default
    name = st.selectbox(
        "Preset",
        titles,
        list(titles).index(st.session_state.get(_PRESET_KEY, default)),
        format_func=titles.__getitem__,
        key=_PRESET_KEY,
        persist_state="session",
        on_change=lambda: st.session_state.update({_IS_OWN_CHOICE: True}),
    )
    st.caption(preset(name).description)
    return ChosenDesign(preset(name).spec, name)


def _choose_run(runs: Sequence[Run]) -> ChosenDesign:
    by_id = {run.id: run for run in runs}
    titles = run_titles(runs, lambda run: run.title)
    run_id = st.selectbox("Run", titles, format_func=titles.__getitem__, key="train_past_run")
    request = by_id[run_id].request
    return ChosenDesign(request.spec, request.preset)

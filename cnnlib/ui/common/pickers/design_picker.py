"""Choosing what to train: the design from Build, a preset, or that of a past run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.design.cost import Cost, cost
from cnnlib.design.link import decode, encode
from cnnlib.design.plan import plan
from cnnlib.design.presets import adapt, preset, preset_of, presets
from cnnlib.ui.common.format import count, distinct, size
from cnnlib.ui.common.urls import BUILD, design_in_address, kept_design

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.design.spec import CNNSpec
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.run import Run

OWN, PRESET, PAST = "Your design", "A preset", "A past run"


@dataclass(frozen=True)
class ChosenDesign:
    """A design as it was made, and the name of the preset that it is ("" for one's own)."""

    spec: CNNSpec
    preset: str = ""


@dataclass(frozen=True)
class FittedDesign:
    """A design that fits a dataset, and what it costs there."""

    spec: CNNSpec
    cost: Cost


def choose_design(default_preset: str, runs: Sequence[Run]) -> ChosenDesign:
    """Fields for one of the three ways to a design.

    Raises:
        SpecError: The link in the page's address cannot be read.
    """
    link = design_in_address() or kept_design()
    ways = [way for way, there in ((OWN, link), (PRESET, True), (PAST, runs)) if there]
    way = PRESET
    if len(ways) > 1:
        way = st.segmented_control(
            "Design",
            ways,
            default=ways[0],
            required=True,
            key=f"train_design_way_{bool(link)}",
        )
    if way == OWN and link is not None:
        spec = decode(link)
        return ChosenDesign(spec, preset_of(spec))
    return _choose_run(runs) if way == PAST else _choose_preset(default_preset)


def fit(chosen: ChosenDesign, info: DatasetInfo) -> FittedDesign:
    """The design for the pictures and classes of a dataset.

    Raises:
        SpecError: Nothing makes it fit.
    """
    spec = adapt(chosen.spec, info.in_size, len(info.classes))
    return FittedDesign(spec, cost(plan(spec)))


def show_design(chosen: ChosenDesign, fitted: FittedDesign, dataset: str) -> None:
    """What will be trained, in a line, with a way to change it."""
    sizes = f"{count(fitted.cost.params)} parameters, {count(fitted.cost.macs)} MACs per image"
    adapted = ""
    if chosen.spec.in_size != fitted.spec.in_size:
        adapted = (
            f", made for {size(chosen.spec.in_size)} and fitted to {size(fitted.spec.in_size)}"
        )
    st.caption(f"{sizes}{adapted}.")
    st.page_link(
        BUILD,
        label="Change it in Build",
        icon=":material/layers:",
        query_params={"design": encode(fitted.spec), "dataset": dataset},
    )


def _choose_preset(default: str) -> ChosenDesign:
    titles = {each.name: each.title for each in presets()}
    name = st.selectbox(
        "Preset",
        titles,
        index=list(titles).index(default),
        format_func=titles.__getitem__,
        key="train_preset",
        persist_state="session",
    )
    st.caption(preset(name).description)
    return ChosenDesign(preset(name).spec, name)


def _choose_run(runs: Sequence[Run]) -> ChosenDesign:
    by_id = {run.id: run for run in runs}
    titles = distinct({run.id: run.title for run in runs})
    run_id = st.selectbox("Run", titles, format_func=titles.__getitem__, key="train_past_run")
    request = by_id[run_id].request
    return ChosenDesign(request.spec, request.preset)

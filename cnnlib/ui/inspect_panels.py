"""The panels of Inspect, one at a time: only what is looked at is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from cnnlib.errors import CnnlibError
from cnnlib.records.run import Run
from cnnlib.ui.inspect_choice import Subject, choose_subject
from cnnlib.ui.inspect_errors import errors_panel
from cnnlib.ui.inspect_exciting import dream_panel
from cnnlib.ui.inspect_gradients import gradients_panel
from cnnlib.ui.inspect_maps import answer, maps_panel
from cnnlib.ui.inspect_reasons import reasons_panel
from cnnlib.ui.inspect_source import import_torch
from cnnlib.ui.inspect_surgery import surgery_panel

PANELS: dict[str, Callable[[Subject], None]] = {
    "Filters and maps": maps_panel,
    "Why this answer": reasons_panel,
    "Gradients": gradients_panel,
    "Surgery": surgery_panel,
    "What excites it": dream_panel,
    "Errors": errors_panel,
}


def inspect_run(runs: Sequence[Run]) -> None:
    """The chosen run, moment and picture, and the chosen panel about them."""
    import_torch()
    asked = st.query_params.get("run", "")
    if asked and asked not in {run.id for run in runs}:
        st.warning(
            f"The run {asked[:40]} that this address names was deleted, or never was here. "
            "Another one is shown.",
            icon=":material/link_off:",
        )
    try:
        subject = choose_subject(runs)
        if subject is not None:
            said = st.container()  # needs torch, which may still be on its way
            _panel()(subject)
            with said:
                answer(subject)
    except CnnlibError as error:
        st.error(str(error), icon=":material/error:")


def _panel() -> Callable[[Subject], None]:
    """The panel that is chosen; the address remembers it."""
    if st.session_state.get("inspect_view") not in PANELS:
        asked = st.query_params.get("view", "")
        st.session_state["inspect_view"] = asked if asked in PANELS else next(iter(PANELS))
    name = st.segmented_control(
        "What to look at", list(PANELS), key="inspect_view", required=True, default=None
    )
    st.query_params["view"] = name
    return PANELS[name]

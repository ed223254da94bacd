"""Build page: design a network and see its cost before training it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from cnnlib.design import link
from cnnlib.design.cost import MAX_BATCH_SIZE, Cost, larger_than_image
from cnnlib.design.plan import Plan
from cnnlib.design.plan import plan as plan_spec
from cnnlib.errors import SpecError
from cnnlib.figures.memory_bar import memory_html
from cnnlib.ui.build.cost_numbers import OTHER_NUMBERS, cost_numbers
from cnnlib.ui.build.files import file_panel, saved_designs_panel
from cnnlib.ui.build.form import known_datasets, spec_form
from cnnlib.ui.build.layer_table import layer_table, tool_table
from cnnlib.ui.build.picture import mark_layer, marked_layer, pictures
from cnnlib.ui.build.session import (
    apply_change,
    apply_repair,
    current_state,
    keep_valid,
    sync_from_address,
    sync_to_address,
    take_notice,
)
from cnnlib.ui.build.state import BuildState, can_plan
from cnnlib.ui.build.widget_sync import count_callback, record_change, show_value
from cnnlib.ui.common.messages import show_error, show_warning
from cnnlib.ui.common.shared import available_datasets, folders
from cnnlib.ui.common.urls import TRAIN
from cnnlib.ui.common.whole_number import whole_number_input
from cnnlib.vocabulary.entry import labels
from cnnlib.vocabulary.training import OPTIMIZERS


def show() -> None:
    """Show the page."""
    infos = available_datasets(known_datasets(folders()))
    sync_from_address(infos)
    with st.container(horizontal=True, vertical_alignment="center", key="build_title"):
        st.title("Build")
        toolbar()
    with st.container(key="build_sides"):
        form, view = st.columns([2, 5], gap="large")
    with view:
        with st.container(key="build_messages"):
            if sentence := take_notice():
                show_warning(sentence, ":material/link_off:")
            plan = plan_draft()
        cost = current_state().cost(plan)
        pictures(plan, cost)
        with st.expander("More numbers", key="build_more", on_change=count_callback):
            more_numbers(plan, cost)
        panels(plan, cost)
    with form:
        spec_form(infos)
        training_settings()
    sync_to_address(infos)


def toolbar() -> None:
    """Show the buttons: undo, redo, pin, train; the last two need a design that fits."""
    state = current_state()
    fits = can_plan(state.draft.spec)
    with st.container(horizontal=True, width="content"):
        _button("Undo", "undo", BuildState.undone, bool(state.past), "Undo the last change.")
        _button(
            "Redo",
            "redo",
            BuildState.redone,
            bool(state.future),
            "Repeat the change that was undone.",
        )
        if state.pinned:
            _button(
                *("Unpin", "keep_off", lambda state: replace(state, pinned=None), True),
                "Stop the comparison with the pinned design.",
            )
        else:
            _button(
                *("Pin", "keep", lambda state: replace(state, pinned=state.draft.spec), fits),
                "Keep this design as a reference: each number then shows its difference to it.",
            )
        if st.button(
            "Train this",
            type="primary",
            icon=":material/play_arrow:",
            key="build_train",
            disabled=not fits,
            help="Open the Train page with this design."
            if fits
            else "This design cannot be trained: see the message.",
        ):
            params = {"design": link.encode(state.draft.spec), "dataset": state.draft.dataset}
            st.switch_page(TRAIN, query_params=params)


def _button(
    label: str, icon: str, change: Callable[[BuildState], BuildState], enabled: bool, tooltip: str
) -> None:
    st.button(
        label,
        key=f"build_{label.lower()}",
        icon=f":material/{icon}:",
        on_click=apply_change,
        args=(change, label.lower()),
        disabled=not enabled,
        help=tooltip,
    )


def plan_draft() -> Plan:
    """Plan the draft; on failure, show the error and return the plan of the last valid design."""
    spec = current_state().draft.spec
    try:
        plan = plan_spec(spec)
    except SpecError as error:
        _show_misfit(error)
        return plan_spec(current_state().valid)
    keep_valid(spec)
    return plan


def _show_misfit(error: SpecError) -> None:
    """Show the layer that fails and the reason, with a button that repairs the design."""
    with st.container(key="build_misfit"):  # page.css makes picture and numbers paler
        show_error(f"{error} Picture and numbers are those of your last design that fits.")
        if error.repair:
            st.button(
                f"Repair: {error.repair_text}",
                key="build_repair",
                icon=":material/build:",
                on_click=apply_repair,
                args=(error.repair,),
            )


def more_numbers(plan: Plan, cost: Cost) -> None:
    """Show the other numbers, and the parts of the memory of a training step."""
    with st.container(key="build_numbers_more"):
        cost_numbers(OTHER_NUMBERS, cost, current_state().pinned_cost(), plan.spec)
        if sentence := larger_than_image(cost.receptive_field, plan.spec.in_size):
            st.caption(sentence)
        st.html(memory_html(cost.training_peak))


def training_settings() -> None:
    """Show batch size and optimiser, on which memory and FLOPs of a training step depend."""
    with st.container(horizontal=True):
        batch_size = current_state().batch_size
        show_value("build_batch_size", float(batch_size))
        whole_number_input(
            "Batch size",
            *(1, MAX_BATCH_SIZE, batch_size),
            key="build_batch_size",
            on_change=_record_setting,
            args=("build_batch_size", "batch_size"),
            help="Pictures in one training step. Memory and FLOPs of a training step grow with it.",
        )
        optimizer = current_state().optimizer
        show_value("build_optimizer", optimizer)
        st.selectbox(
            "Optimiser",
            list(OPTIMIZERS),
            list(OPTIMIZERS).index(optimizer),
            format_func=labels(OPTIMIZERS).__getitem__,
            key="build_optimizer",
            on_change=_record_setting,
            args=("build_optimizer", "optimizer"),
            help="The algorithm that updates the weights. Some store one or two numbers per "
            "parameter.",
        )


def _record_setting(key: str, field: str) -> None:
    value: Any = st.session_state[key]
    value = round(value) if isinstance(value, float) else value
    record_change(key, lambda state: replace(state, **{field: value}), field)


def panels(plan: Plan, cost: Cost) -> None:
    """Show the tabs of layers, other tools, files and saved designs; only the open one is built."""
    contents: dict[str, Callable[[], None]] = {
        "Layers": lambda: layer_table(cost, marked_layer(), mark_layer),
        "Other tools": lambda: tool_table(plan, cost.macs),
        "Export": lambda: file_panel(current_state(), plan),
        "Saved": saved_designs_panel,
    }
    tabs = st.tabs(list(contents), key="build_panel", on_change=count_callback)
    for tab, content in zip(tabs, contents.values(), strict=True):
        if tab.open:
            with tab:
                content()

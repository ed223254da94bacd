"""What the Build page shows of a design beside its controls: what it costs, what to do with it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.design import link
from cnnlib.design.cost import Cost, cost
from cnnlib.design.memory import OPTIMIZERS
from cnnlib.design.plan import Plan, plan
from cnnlib.errors import SpecError
from cnnlib.figures.architecture_svg import architecture_svg
from cnnlib.figures.labels import describe_design
from cnnlib.ui.build.cost_numbers import cost_line, cost_numbers
from cnnlib.ui.build.files import file_panel
from cnnlib.ui.build.layer_table import layer_table, tool_table
from cnnlib.ui.build.saved_designs import shelf_panel
from cnnlib.ui.build.session import act, desk, keep_valid, mend
from cnnlib.ui.build.state import MOST_IMAGES, BuildState
from cnnlib.ui.build.widget_sync import called_back, note, show_value
from cnnlib.ui.common.format import OPTIMIZER_LABELS
from cnnlib.ui.common.messages import show_error
from cnnlib.ui.common.urls import LOADER, TRAIN, script

if TYPE_CHECKING:
    from collections.abc import Callable


def toolbar() -> None:
    """Undo, redo, pin, train."""
    now = desk()
    with st.container(horizontal=True, width="content"):
        _button("Undo", "undo", BuildState.undone, bool(now.past), "Take the last change back.")
        _button("Redo", "redo", BuildState.redone, bool(now.future), "Make it again.")
        if now.pinned:
            _button("Unpin", "keep_off", _unpinned, True, "Compare with nothing.")
        else:
            _button(
                "Pin", "keep", _pinned, True, "Compare every number with this design from now on."
            )
        if st.button(
            "Train this",
            type="primary",
            icon=":material/play_arrow:",
            key="build_train",
            help="Go on to Train with the design that is shown.",
        ):
            told = {"design": link.encode(now.valid), "dataset": now.draft.dataset}
            st.switch_page(TRAIN, query_params=told)


def _button(
    label: str, icon: str, change: Callable[[BuildState], BuildState], enabled: bool, words: str
) -> None:
    st.button(
        label,
        key=f"build_{label.lower()}",
        icon=f":material/{icon}:",
        on_click=act,
        args=(change,),
        disabled=not enabled,
        help=words,
    )


def _pinned(desk: BuildState) -> BuildState:
    return replace(desk, pinned=desk.valid)


def _unpinned(desk: BuildState) -> BuildState:
    return replace(desk, pinned=None)


def planned() -> Plan:
    """The plan of the design on the desk; where it does not plan, why, and the last that did."""
    spec = desk().draft.spec
    try:
        found = plan(spec)
    except SpecError as error:
        _tell_misfit(error)
        return plan(desk().valid)
    keep_valid(spec)
    return found


def _tell_misfit(error: SpecError) -> None:
    """Which layer fails and why, with a repair by one click."""
    show_error(f"{error} Shown below is your last design that fits.")
    if error.repair:
        words = error.repair_text or "repair it"
        st.button(
            words[0].upper() + words[1:],
            key="build_repair",
            icon=":material/build:",
            on_click=mend,
            args=(error.repair,),
        )


def priced(found: Plan) -> Cost:
    """What a design costs at the batch size and for the optimiser that are chosen here."""
    return cost(found, batch_size=desk().batch_size, optimizer=desk().optimizer)


def numbers(found: Plan, costs: Cost) -> None:
    """What the design costs, against the pinned one if there is one."""
    pinned = None
    if design := desk().pinned:
        st.caption(f"Changes are against the pinned design: {describe_design(design)}.")
        pinned = priced(plan(design))
    cost_numbers(costs, pinned, found.spec)


def training_settings() -> None:
    """Batch size and optimiser, which memory and FLOPs of a training step depend on."""
    with st.container(horizontal=True):
        show_value("build_batch_size", desk().batch_size)
        st.number_input(
            "Batch size",
            min_value=1,
            max_value=MOST_IMAGES,
            key="build_batch_size",
            on_change=_take,
            args=("build_batch_size", "batch_size"),
            help="Images in one training step: memory and FLOPs of a step grow with it.",
        )
        show_value("build_optimizer", desk().optimizer)
        st.selectbox(
            "Optimiser",
            OPTIMIZERS,
            format_func=OPTIMIZER_LABELS.__getitem__,
            key="build_optimizer",
            on_change=_take,
            args=("build_optimizer", "optimizer"),
            help="What changes the weights; some keep one or two numbers for each parameter.",
        )


def _take(key: str, field: str) -> None:
    value = st.session_state[key]
    note(key, lambda desk: replace(desk, **{field: value}), field)


def panels(found: Plan, costs: Cost) -> None:
    """Layers, other tools, files, shelf: only the open one is made."""
    contents: dict[str, Callable[[], None]] = {
        "Layers": lambda: layer_table(costs, key="build_layers"),
        "What other tools would print": lambda: tool_table(found, costs.macs),
        "Export and share": lambda: file_panel(desk(), found),
        "Shelf": shelf_panel,
    }
    tabs = st.tabs(list(contents), key="build_panel", on_change=called_back)
    for tab, content in zip(tabs, contents.values(), strict=True):
        if tab.open:
            with tab:
                content()


_picture = st.components.v2.component("cnnlab_network_picture", js=LOADER)


def network_picture(plan: Plan, cost: Cost, *, key: str) -> None:
    """Every layer to scale; pointing at one, or walking there with arrow keys, tells what it is.

    Args:
        cost: Of the same design: on a phone a line of it stands below the picture.
    """
    _picture(
        key=key,
        data={
            "script": script("build/picture.js"),
            "svg": architecture_svg(plan),
            "words": cost_line(cost),
        },
    )

"""The panel of saved designs on the Build page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.figures.labels import describe_design
from cnnlib.runs.saved_designs import NAME_LIMIT, SavedDesigns
from cnnlib.ui.build.session import (
    apply_change,
    control_error,
    show_control_error,
    spec_change,
)
from cnnlib.ui.common.format import escape_markdown
from cnnlib.ui.common.shared import folders, run_store

if TYPE_CHECKING:
    from cnnlib.design.spec import CNNSpec
    from cnnlib.ui.build.state import BuildState


def saved_designs_panel() -> None:
    """Show a form that saves the design by name, and the saved ones to open or remove."""
    saved = SavedDesigns(folders(), run_store().owner)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Name",
            max_chars=NAME_LIMIT,
            key="build_saved_name",
            on_change="ignore",
            help="If the name exists already, the saved design of that name is replaced.",
        )
        st.button("Save", key="build_save", icon=":material/save:", on_click=_save, args=(saved,))
    show_control_error("saved_designs")
    designs = saved.designs()
    if not designs:
        st.caption(
            "There are no saved designs yet. Designs are saved on the computer that runs the lab."
        )
    for number, design in enumerate(designs):
        with st.container(horizontal=True, vertical_alignment="center"):
            text = f"**{escape_markdown(design.name)}**  \n{describe_design(design.spec)}"
            st.markdown(text, width="stretch")
            st.button("Open", key=f"build_open_{number}", on_click=_open, args=(design.spec,))
            st.button(
                "Remove",
                key=f"build_remove_{number}",
                icon=":material/delete:",
                on_click=_remove,
                args=(saved, design.name),
            )


def _save(saved: SavedDesigns) -> None:
    def save(state: BuildState) -> BuildState:
        saved.save(st.session_state.build_saved_name, state.draft.spec)
        return state

    apply_change(save, "saved_designs")
    if not control_error("saved_designs"):
        st.session_state.build_saved_name = ""


def _open(spec: CNNSpec) -> None:
    apply_change(spec_change(lambda _: spec, "open"), "open")


def _remove(saved: SavedDesigns, name: str) -> None:
    def remove(state: BuildState) -> BuildState:
        saved.remove(name)
        return state

    apply_change(remove, "saved_designs")

"""The shelf of one's own designs, on the Build page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.figures.labels import describe_design
from cnnlib.runs.saved_designs import NAME_LIMIT, SavedDesigns
from cnnlib.ui.build.session import act, on_spec, tell_wrong, whats_wrong
from cnnlib.ui.common.format import escape_markdown
from cnnlib.ui.common.shared import folders, run_store

if TYPE_CHECKING:
    from cnnlib.design.spec import CNNSpec
    from cnnlib.ui.build.state import BuildState


def shelf_panel() -> None:
    """Save the design by name; open or remove those that were saved."""
    shelf = SavedDesigns(folders(), run_store().owner)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Name",
            max_chars=NAME_LIMIT,
            key="build_shelf_name",
            on_change="ignore",
            help="A design saved under a name that is taken replaces the one before.",
        )
        st.button("Save", key="build_save", icon=":material/save:", on_click=_save, args=(shelf,))
    tell_wrong("shelf")
    designs = shelf.designs()
    if not designs:
        st.caption("Nothing is on the shelf yet. What you save stays on this machine.")
    for number, design in enumerate(designs):
        with st.container(horizontal=True, vertical_alignment="center"):
            words = f"**{escape_markdown(design.name)}**  \n{describe_design(design.spec)}"
            st.markdown(words, width="stretch")
            st.button("Open", key=f"build_open_{number}", on_click=_open, args=(design.spec,))
            st.button(
                "Remove",
                key=f"build_remove_{number}",
                icon=":material/delete:",
                on_click=_remove,
                args=(shelf, design.name),
            )


def _save(shelf: SavedDesigns) -> None:
    def save(desk: BuildState) -> BuildState:
        shelf.save(st.session_state.build_shelf_name, desk.draft.spec)
        return desk

    act(save, "shelf")
    if not whats_wrong("shelf"):
        st.session_state.build_shelf_name = ""


def _open(spec: CNNSpec) -> None:
    act(on_spec(lambda _: spec, "shelf"), "shelf")


def _remove(shelf: SavedDesigns, name: str) -> None:
    def remove(desk: BuildState) -> BuildState:
        shelf.remove(name)
        return desk

    act(remove, "shelf")

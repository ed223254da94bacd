"""The sections of the Results page, and which one its address names."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from cnnlib.ui.common.urls import runs_in_address

Section = Literal["table", "duel", "experiment"]
_TITLES: dict[Section, str] = {"table": "Table", "duel": "Duels", "experiment": "Experiments"}
_ICONS = {"table": "table_rows", "duel": "balance", "experiment": "science"}
_KEPT = "results_kept_runs"  # session key: the chosen rows, while another section is open


def section_in_address() -> Section:
    """Return the section that the address names by ``view``, ``duel`` or ``experiment``."""
    view = st.query_params.get("view", "")
    for section in ("duel", "experiment"):
        if section in st.query_params or view == section:
            return section
    return "table"


def choose_section() -> Section:
    """Show the buttons of the sections; return the one of the address."""
    section = section_in_address()
    st.session_state["results_section"] = section
    st.segmented_control(
        "Section",
        list(_TITLES),
        default=section,
        format_func=lambda each: f":material/{_ICONS[each]}: {_TITLES[each]}",
        key="results_section",
        label_visibility="collapsed",
        required=True,
        on_change=lambda: open_section(st.session_state["results_section"]),
    )
    return section


def open_section(section: Section, study: str = "") -> None:
    """Put a section into the address, and the id of its duel or experiment.

    The chosen rows of the table are chosen again when one comes back to it.
    """
    if runs_in_address():
        st.session_state[_KEPT] = runs_in_address()
    if study:
        st.query_params.from_dict({section: study})
    elif section == "table":
        st.query_params.from_dict({"run": st.session_state.get(_KEPT, [])})
    else:
        st.query_params.from_dict({"view": section})

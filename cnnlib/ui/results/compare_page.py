"""The Compare page: the differences of two designs, and duels that decide which is better."""

from __future__ import annotations

import streamlit as st

from cnnlib.ui.results.duel_form import choose_info, choose_sides, duel_form, known_designs
from cnnlib.ui.results.duel_view import difference_view, duel_view, past_duels


def show() -> None:
    """Show the page."""
    st.title("Compare")
    duel = st.query_params.get("duel")
    if duel:
        duel_view(duel)
        if st.button("Another comparison", icon=":material/add:", key="compare_another"):
            del st.query_params["duel"]
            st.rerun()
    else:
        info = choose_info()
        sides = choose_sides(known_designs(), info)
        if sides:
            difference_tab, duel_tab = st.tabs(["Differences", "Duel: is B better?"])
            with difference_tab:
                difference_view(*sides)
            with duel_tab:
                if started := duel_form(*sides, info):
                    st.query_params["duel"] = started
                    st.rerun()
    past_duels(duel)

"""Glossary page: the technical terms in alphabetical order, and a search."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from cnnlib.records.glossary import GLOSSARY, find_terms
from cnnlib.ui.common.format import escape_markdown
from cnnlib.units import plural

_WIDTH = 760  # pixels; longer lines are hard to read


def show() -> None:
    """Show the page."""
    st.title("Glossary")
    with st.container(width=_WIDTH):
        query = st.text_input(
            "Search",
            key="glossary_search",
            type="search",
            placeholder="for example: stride",
            max_chars=100,
            icon=":material/search:",
            live=True,
        )
        found = find_terms(query or "")
        if not found:
            st.caption(
                f"No entry contains all of these words: {escape_markdown(query)}. Try a shorter "
                "word, or clear the search."
            )
            return
        st.caption(plural(len(found), "term"))
        st.markdown(entries(found))


def entries(terms: Iterable[str]) -> str:
    """Return the terms with their definitions as Markdown, a paragraph for each."""
    return "\n\n".join(
        f"**{escape_markdown(term)}**  \n{escape_markdown(GLOSSARY[term])}" for term in terms
    )

"""The address of what Look inside shows: a reload, a bookmark or a link shows the same.

Streamlit makes each change of ``st.query_params`` an entry of the browser's history. So the browser
replaces the address itself: Back leaves the page in one press, whatever was chosen on it.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

_address = st.components.v2.component(
    "cnnlab_address",
    js="""
export default function ({ data }) {
  history.replaceState(history.state, "", `${location.pathname}?${new URLSearchParams(data)}`);
}
""",
)


def write_address(parameters: Mapping[str, str | int | None]) -> None:
    """Replace the query of the page's address by these parameters, without those that are None."""
    known = {name: str(value) for name, value in parameters.items() if value is not None}
    _address(key="inspect_address", data=known)

"""Which dataset the Data page shows: all of them in a table, one of them chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.data.uploads import disk_use
from cnnlib.ui.common.format import distinct, size
from cnnlib.ui.common.shared import folders
from cnnlib.ui.common.urls import remember

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.records.dataset import DatasetInfo

_KEY = "data_dataset"
STATES = {"prepared": "ready", "here": "to be prepared", "download": "to be downloaded"}


def choose(infos: Sequence[DatasetInfo]) -> DatasetInfo:
    """A menu of datasets; the one that the address names is chosen."""
    by_name = {info.name: info for info in infos}
    titles = distinct({info.name: f"{info.title} ({STATES[info.state]})" for info in infos})
    wanted = st.session_state.pop(f"{_KEY}_next", st.query_params.get("dataset", ""))
    if st.session_state.get(_KEY) not in by_name or f"{_KEY}_shown" not in st.session_state:
        st.session_state[_KEY] = wanted if wanted in by_name else _first(infos)
    elif wanted in by_name and wanted != st.session_state[f"{_KEY}_shown"]:
        st.session_state[_KEY] = wanted
    name = st.selectbox(
        "Dataset",
        list(by_name),
        key=_KEY,
        format_func=titles.__getitem__,
        width=420,
        on_change=lambda: st.query_params.update(dataset=st.session_state[_KEY]),
    )
    st.session_state[f"{_KEY}_shown"] = name
    remember("dataset", name)
    return by_name[name]


def show_next(name: str) -> None:
    """Choose a dataset at the next run of the page."""
    st.session_state[f"{_KEY}_next"] = name


def overview(infos: Sequence[DatasetInfo]) -> None:
    """Every dataset with its size on disk."""
    rows = [_row(info) for info in infos]
    with st.expander("All datasets", icon=":material/database:"):
        st.dataframe(
            rows,
            hide_index=True,
            key="data_table",
            placeholder="–",
            column_config={
                "On disk": st.column_config.NumberColumn(format="%.1f MB"),
                "To train": st.column_config.NumberColumn(format="localized"),
                "To test": st.column_config.NumberColumn(format="localized"),
            },
        )


def _row(info: DatasetInfo) -> dict[str, str | int | float | None]:
    return {
        "Dataset": info.title,
        "State": STATES[info.state],
        "Pictures": size(info.in_size),
        "Classes": len(info.classes),
        "To train": info.train_count or None,
        "To test": info.test_count or None,
        "On disk": disk_use(info.name, folders()).removable_bytes / 1e6 or None,
    }


def _first(infos: Sequence[DatasetInfo]) -> str:
    """The first one that is ready, else the first one."""
    return next((info.name for info in infos if info.state == "prepared"), infos[0].name)

"""The table of all datasets and the menu that selects one, on the Data page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.data.uploads import disk_use
from cnnlib.ui.common.format import dataset_label, dataset_menu, size
from cnnlib.ui.common.messages import show_not_found
from cnnlib.ui.common.shared import default_dataset, folders
from cnnlib.ui.common.urls import set_in_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.records.dataset import DatasetInfo

_KEY = "data_dataset"


def choose_dataset(infos: Sequence[DatasetInfo]) -> DatasetInfo:
    """Show a menu of datasets, with the one of the address selected; return the selected one."""
    by_name = {info.name: info for info in infos}
    labels = dataset_menu(infos)
    titles = {info.name: f"{labels[info.name]} ({info.state_label})" for info in infos}
    requested = st.session_state.pop(f"{_KEY}_next", st.query_params.get("dataset", ""))
    if requested and requested not in by_name:
        show_not_found("dataset", requested, "Another dataset is shown.")
    shown = st.session_state.get(f"{_KEY}_shown")
    if requested in by_name and requested != shown:
        st.session_state[_KEY] = requested
    elif st.session_state.get(_KEY) not in by_name:  # the page was just opened, say
        is_kept = shown in by_name
        st.session_state[_KEY] = shown if is_kept else default_dataset(infos).name
    st.session_state[_KEY] = st.session_state[_KEY]  # sent again, since its label may have changed
    name = st.selectbox(
        "Dataset",
        list(by_name),
        list(by_name).index(st.session_state[_KEY]),
        key=_KEY,
        format_func=titles.__getitem__,
        width=420,
        on_change=lambda: st.query_params.update(dataset=st.session_state[_KEY]),
    )
    st.session_state[f"{_KEY}_shown"] = name
    set_in_address("dataset", name)
    return by_name[name]


def select_on_rerun(name: str) -> None:
    """Select a dataset at the next run of the page."""
    st.session_state[f"{_KEY}_next"] = name


def dataset_table(infos: Sequence[DatasetInfo]) -> None:
    """Show a table of all datasets with their sizes on disk."""
    rows = [_row(info) for info in infos]
    with st.expander("All datasets", icon=":material/database:"):
        st.dataframe(
            rows,
            hide_index=True,
            key="data_table",
            placeholder="–",
            column_config={
                "State": st.column_config.TextColumn(
                    help="A dataset is downloaded and prepared once, before the first training."
                ),
                "Picture size": st.column_config.TextColumn(
                    help="Channels × height × width. 1 channel is greyscale, 3 are colour."
                ),
                "Training pictures": st.column_config.NumberColumn(format="localized"),
                "Validation pictures": st.column_config.NumberColumn(
                    format="localized",
                    help="Of the dataset itself. Without them, each run keeps a share of the "
                    "training pictures for validation.",
                ),
                "Test pictures": st.column_config.NumberColumn(format="localized"),
                "Disk space": st.column_config.NumberColumn(
                    format="%.1f MB", help="Size of the files that the lab can remove."
                ),
            },
        )


def _row(info: DatasetInfo) -> dict[str, str | int | float | None]:
    return {
        "Dataset": dataset_label(info.name, info.title),
        "State": info.state_label,
        "Picture size": size(info.in_size),
        "Classes": len(info.classes),
        "Training pictures": info.fitted_count or None,
        "Validation pictures": info.validation_count or None,
        "Test pictures": info.test_count or None,
        "Disk space": disk_use(info.name, folders()).removable_bytes / 1e6 or None,
    }

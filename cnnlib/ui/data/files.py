"""Preparing, uploading and removing datasets on the Data page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.data.image_folder.sources import FolderOptions
from cnnlib.data.uploads import add_folder_zip, disk_use, remove_dataset
from cnnlib.errors import CnnlibError
from cnnlib.runs.access.dataset_owners import (
    check_upload,
    dataset_owner,
    record_dataset_owner,
    removing_dataset,
)
from cnnlib.ui.common.format import escape_markdown
from cnnlib.ui.common.job_status import show_job_progress
from cnnlib.ui.common.messages import show_error
from cnnlib.ui.common.permissions import attempt, owner_note
from cnnlib.ui.common.shared import folders, run_store, settings
from cnnlib.ui.common.urls import TRAIN
from cnnlib.ui.data.choice import select_on_rerun
from cnnlib.units import format_size

if TYPE_CHECKING:
    from cnnlib.records.dataset import DatasetInfo

_SIZES = (16, 28, 32, 48, 64, 96, 128)
_NOTICE = "data_notice"


def show_notice() -> None:
    """Show, once, the result of the last button."""
    if sentence := st.session_state.pop(_NOTICE, ""):
        st.success(escape_markdown(sentence), icon=":material/check:")


def preparation(info: DatasetInfo) -> None:
    """Show a button that prepares the dataset, or the progress of the job.

    Own pictures can be prepared again, with other options.
    """
    is_own = info.name.startswith("folder:")
    if info.state == "prepared" and not is_own:
        return
    args: dict[str, Any] = {"name": info.name}
    if show_job_progress(run_store().latest_job("prepare", args), key="data_prepare"):
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        args |= _options_form(info) if is_own else {}
        has_options = len(args) > 1
        refusal = (
            owner_note(dataset_owner(run_store(), info.name), "dataset") if has_options else ""
        )
        labels = {"here": "Prepare it", "download": "Download it", "prepared": "Prepare it again"}
        st.button(
            labels[info.state],
            icon=":material/download:",
            key="data_prepare",
            type="primary" if info.state != "prepared" else "secondary",
            help=refusal or None,
            disabled=bool(refusal),
            on_click=attempt,
            args=(run_store().submit_job, "prepare", args),
        )


def training_link(info: DatasetInfo) -> None:
    """Show a link to the Train page with this dataset."""
    st.page_link(
        TRAIN,
        label=f"Train on {escape_markdown(info.title)}",
        icon=":material/play_arrow:",
        query_params={"dataset": info.name},
    )


def upload() -> None:
    """Show a form that uploads a zip with one folder of pictures per class."""
    with st.expander("Add pictures of your own", icon=":material/upload:"):
        st.caption(
            "A zip with one folder of pictures per class, train/ and test/ above them if you like: "
            "PNG, JPEG, WebP, BMP, GIF or TIFF. The square in the middle of each is used."
        )
        with st.form("data_upload", border=False):
            file = st.file_uploader(
                "Zip", type="zip", key="data_zip", max_upload_size=upload_limit_mb()
            )
            with st.container(horizontal=True, vertical_alignment="bottom"):
                name = st.text_input("Name", key="data_name", placeholder="that of the zip")
                side = st.selectbox("Pixels", _SIZES, index=_SIZES.index(32), key="data_size")
                grey = st.toggle("Grey", key="data_grey")
            pressed = st.form_submit_button("Add", icon=":material/add:")
        if pressed:
            _add(file, name, FolderOptions(side, 1 if grey else 3))


def upload_limit_mb() -> int | None:
    """The size limit of an upload in class mode, in MB; None for the limit of the server."""
    lab = settings()
    return max(1, lab.person.upload_mb) if lab.class_mode.on else None


def _add(file: Any, name: str, options: FolderOptions) -> None:
    """Add the zip as a dataset and select it; show an error where that fails."""
    if file is None:
        show_error("There is no zip yet. Choose one above.")
        return
    store = run_store()
    try:
        check_upload(store, file.size)
        info = add_folder_zip(file, name or file.name.removesuffix(".zip"), folders(), options)
        record_dataset_owner(store, info.name)
        store.submit_job("prepare", {"name": info.name})
    except CnnlibError as error:
        show_error(error)
        return
    select_on_rerun(info.name)
    st.rerun()


def removal(info: DatasetInfo) -> None:
    """Show the disk use of the dataset, and a button that removes it after a second press."""
    use = disk_use(info.name, folders())
    parts = {
        "prepared copy": use.prepared_bytes,
        "download": use.download_bytes,
        "upload": use.upload_bytes,
    }
    used = [f"{part} {format_size(size)}" for part, size in parts.items() if size]
    st.caption(f"On disk: {', '.join(used) or 'nothing that the lab wrote'}.")
    if use.own_path:
        st.caption(
            f"The pictures themselves are yours, in {escape_markdown(use.own_path)}; they stay "
            "there."
        )
    if not use.removable_bytes:
        return
    with st.popover("Remove", icon=":material/delete:"):
        st.write(f"Remove {format_size(use.removable_bytes)} of {escape_markdown(info.title)}?")
        if use.upload_bytes:
            st.write("The upload is the only copy that the lab has.")
        refusal = owner_note(dataset_owner(run_store(), info.name), "dataset")
        st.button(
            "Remove it",
            key="data_remove",
            type="primary",
            help=refusal or None,
            disabled=bool(refusal),
            on_click=attempt,
            args=(_remove, info.name),
        )


def _remove(name: str) -> None:
    with removing_dataset(run_store(), name):
        use = remove_dataset(name, folders())
    st.session_state[_NOTICE] = f"{name} is removed: {format_size(use.removable_bytes)}."


def _options_form(info: DatasetInfo) -> dict[str, int]:
    """Show the options of own pictures; return the job arguments, {} where nothing changes."""
    channels, side, _ = info.in_size
    sides = sorted({*_SIZES, side})
    size = st.selectbox(
        "Pixels", sides, index=sides.index(side), key=f"data_side_{info.name}", width=110
    )
    grey = st.toggle("Grey", channels == 1, key=f"data_channels_{info.name}")
    options = {"size": size, "channels": 1 if grey else 3}
    is_same = (options["channels"], size) == (channels, side)
    return {} if is_same and info.state != "prepared" else options

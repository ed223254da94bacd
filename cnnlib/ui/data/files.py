"""Preparing, uploading and removing datasets on the Data page."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.data.image_folder.sources import FolderOptions
from cnnlib.data.uploads import add_folder_zip, disk_use, remove_dataset
from cnnlib.errors import CnnlibError
from cnnlib.runs.access.dataset_owners import (
    check_upload,
    dataset_owner,
    new_dataset,
    removing_dataset,
)
from cnnlib.ui.common.format import dataset_label, escape_markdown
from cnnlib.ui.common.job_status import show_job_progress
from cnnlib.ui.common.messages import show_error
from cnnlib.ui.common.permissions import own_button, owner_note
from cnnlib.ui.common.shared import folders, run_store, settings
from cnnlib.ui.common.urls import TRAIN
from cnnlib.ui.data.choice import select_on_rerun
from cnnlib.ui.data.fit_preview import FIT_HELP, fit_preview
from cnnlib.units import format_size
from cnnlib.vocabulary.datasets import CROP, FITS
from cnnlib.vocabulary.entry import labels

if TYPE_CHECKING:
    from cnnlib.records.dataset import DatasetInfo

_SIZES = (16, 28, 32, 48, 64, 96, 128)
_NOTICE = "data_notice"
_PREPARE_HELP = (
    "Converts all pictures to one size and stores them in files that can be read fast. This is "
    "needed once before training."
)
_SIZE_HELP = "Width and height of the prepared pictures, in pixels."
_GREY_HELP = "Prepare the pictures with one grey channel, without colour."


def show_notice() -> None:
    """Show, once, the result of the last button."""
    if sentence := st.session_state.pop(_NOTICE, ""):
        st.success(escape_markdown(sentence), icon=":material/check:")


def preparation(info: DatasetInfo) -> None:
    """Show a button that prepares the dataset, or the progress of the job.

    Uploaded pictures and own folders can be prepared again, with other options. A dataset with an
    open question cannot be prepared yet.
    """
    is_own = info.name.startswith("folder:")
    if info.state == "prepared" and not is_own:
        return
    args: dict[str, Any] = {"name": info.name}
    if show_job_progress(run_store().jobs.latest("prepare", args), key="data_prepare"):
        return
    chosen = FolderOptions()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if is_own:
            chosen = _options_form(info)
            args |= _changed(info, chosen)
        has_options = len(args) > 1
        refusal = (
            owner_note(dataset_owner(run_store(), info.name), "dataset") if has_options else ""
        )
        if info.question:
            refusal = "Say first what the folders below are."
        labels = {"here": "Prepare", "download": "Download", "prepared": "Prepare again"}
        own_button(
            labels[info.state],
            refusal,
            icon=":material/download:",
            key="data_prepare",
            type="primary" if info.state != "prepared" else "secondary",
            help=_PREPARE_HELP,
            action=(run_store().jobs.submit, "prepare", args),
        )
    if refusal:
        st.caption(refusal)
    if is_own:
        fit_preview(info.name, chosen.size, chosen.channels)


def training_link(info: DatasetInfo) -> None:
    """Show a link to the Train page with this dataset."""
    st.page_link(
        TRAIN,
        label=f"Train on {escape_markdown(dataset_label(info.name, info.title))}",
        icon=":material/play_arrow:",
        query_params={"dataset": info.name},
    )


def upload() -> None:
    """Show a form that uploads a zip with one folder of pictures per class."""
    with st.expander("Add your own pictures", icon=":material/upload:"):
        st.caption(
            "Upload a zip file with one folder of pictures per class. To choose the test pictures "
            "yourself, put these folders into two folders named train and test; a third one named "
            "validation is used, too."
        )
        with st.form("data_upload", border=False):
            file = st.file_uploader(
                "Zip file", type="zip", key="data_zip", max_upload_size=upload_limit_mb()
            )
            with st.container(horizontal=True, vertical_alignment="bottom"):
                name = st.text_input("Name", key="data_name", placeholder="name of the zip file")
                side = st.selectbox(
                    "Picture size",
                    _SIZES,
                    index=_SIZES.index(32),
                    key="data_size",
                    help=_SIZE_HELP,
                )
                fit = _fit_menu("data_fit", CROP)
                grey = st.toggle("Greyscale", key="data_grey", help=_GREY_HELP)
            pressed = st.form_submit_button("Add", icon=":material/add:")
        if pressed:
            _add(file, name, FolderOptions(side, 1 if grey else 3, fit))


def upload_limit_mb() -> int | None:
    """The size limit of an upload in class mode, in MB; None for the limit of the server."""
    lab = settings()
    return max(1, lab.person.upload_mb) if lab.class_mode.on else None


def _add(file: Any, name: str, options: FolderOptions) -> None:
    """Add the zip as a dataset and select it; show an error where that fails."""
    if file is None:
        show_error("No zip file is selected. Choose a zip file, then press Add.")
        return
    store = run_store()
    try:
        check_upload(store, file.size)
        name = name or file.name.removesuffix(".zip")
        with store.database.exclusive(f"upload {name.strip().casefold()}"):
            info = add_folder_zip(file, name, folders(), options)
        with new_dataset(store, info.name, partial(remove_dataset, folders=folders())):
            if not info.question:
                store.jobs.submit("prepare", {"name": info.name})
    except CnnlibError as error:
        show_error(error)
        return
    select_on_rerun(info.name)
    st.rerun()


def removal(info: DatasetInfo) -> None:
    """Show a button that removes what the lab stores of a dataset after a second press."""
    use = disk_use(info.name, folders())
    if not use.removable_bytes:
        return
    parts = {
        "prepared copy": use.prepared_bytes,
        "download": use.download_bytes,
        "upload": use.upload_bytes,
    }
    used = [f"{part} {format_size(size)}" for part, size in parts.items() if size]
    with st.popover("Remove", icon=":material/delete:"):
        title = dataset_label(info.name, info.title)
        st.write(f"Remove {escape_markdown(title)} ({format_size(use.removable_bytes)})?")
        st.caption(f"Disk space: {', '.join(used)}.")
        if use.upload_bytes:
            st.write("The lab has no other copy of the uploaded pictures.")
        if use.own_path:
            st.caption(
                f"The original pictures are in your folder {escape_markdown(use.own_path)}. The "
                "lab does not remove them."
            )
        refusal = owner_note(dataset_owner(run_store(), info.name), "dataset")
        own_button(
            "Remove it", refusal, key="data_remove", type="primary", action=(_remove, info.name)
        )


def _remove(name: str) -> None:
    with removing_dataset(run_store(), name):
        use = remove_dataset(name, folders())
    st.session_state[_NOTICE] = (
        f"{name} is removed. {format_size(use.removable_bytes)} of disk space is free again."
    )


def _options_form(info: DatasetInfo) -> FolderOptions:
    """Show the options of own pictures and return them."""
    channels, side, _ = info.in_size
    sides = sorted({*_SIZES, side})
    size = st.selectbox(
        "Picture size",
        sides,
        index=sides.index(side),
        key=f"data_side_{info.name}",
        width=140,
        help=_SIZE_HELP,
    )
    fit = _fit_menu(f"data_fit_{info.name}", info.fit)
    grey = st.toggle("Greyscale", channels == 1, key=f"data_channels_{info.name}", help=_GREY_HELP)
    return FolderOptions(size, 1 if grey else 3, fit)


def _fit_menu(key: str, fit: str) -> str:
    """Show the menu of fits and return the chosen one."""
    names = list(FITS)
    return st.selectbox(
        "Fit",
        names,
        index=names.index(fit),
        key=key,
        format_func=labels(FITS).__getitem__,
        width=140,
        help=FIT_HELP,
    )


def _changed(info: DatasetInfo, options: FolderOptions) -> dict[str, Any]:
    """Return the options as job arguments; {} if they are those of a dataset yet to be prepared."""
    before = FolderOptions(info.in_size[1], info.in_size[0], info.fit)
    if options == before and info.state != "prepared":
        return {}
    return {"size": options.size, "channels": options.channels, "fit": options.fit}

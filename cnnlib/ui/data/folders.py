"""The folders of an own dataset on the Data page: what each is taken for, to be corrected."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.data.catalogue import folder_layout
from cnnlib.data.image_folder.split_names import SPLITS
from cnnlib.data.prepared import stored_options
from cnnlib.errors import CnnlibError
from cnnlib.runs.access.dataset_owners import dataset_owner
from cnnlib.ui.common.format import count, escape_markdown
from cnnlib.ui.common.messages import errors_shown
from cnnlib.ui.common.permissions import own_button, owner_note
from cnnlib.ui.common.shared import folders, run_store
from cnnlib.units import listed, plural
from cnnlib.vocabulary.datasets import FOLDER_ROLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cnnlib.data.image_folder.layout import FolderRole, Layout
    from cnnlib.records.dataset import DatasetInfo

_INDENT = "\u2003"  # an em space; plain spaces at the start of a cell are not shown
_ROLE_HELP = (
    "A class is a folder whose pictures all have its name as their label. A group only holds other "
    "folders. Pictures of folders that are not used are left out."
)


def layout_of(info: DatasetInfo) -> Layout | None:
    """Return what the folders of an own dataset are taken for; None for others.

    A dataset without classes has its error in its note, which the page shows.
    """
    if not info.name.startswith("folder:"):
        return None
    with suppress(CnnlibError):
        return folder_layout(info.name, folders())
    return None


def folders_panel(info: DatasetInfo, layout: Layout) -> None:
    """Show the folders with their roles in a table that can be edited, and what follows from it."""
    with st.expander("Folders", expanded=bool(layout.questions), icon=":material/account_tree:"):
        slot = st.container()
        stored = dict(stored_options(info.name, folders()).roles)
        edited = _edited_roles(info, layout)
        with errors_shown():
            if edited:
                layout = folder_layout(info.name, folders(), stored | edited)
            for question in layout.questions:
                slot.warning(
                    f"To be decided: {escape_markdown(question.text)}.", icon=":material/help:"
                )
            asked = {path for question in layout.questions for path in question.paths}
            shown = {row.path: row.role for row in layout.folders if row.path in asked}
            roles = stored | edited | shown
            if asked:
                layout = folder_layout(info.name, folders(), roles)
            st.markdown(escape_markdown(describe_layout(layout)))
            _buttons(info, stored, roles)


def _buttons(info: DatasetInfo, stored: Mapping[str, str], roles: Mapping[str, str]) -> None:
    """Show the buttons that prepare with the roles of the table, and with none by hand."""
    refusal = owner_note(dataset_owner(run_store(), info.name), "dataset")
    unchanged = "Change a folder first." if roles == stored else ""
    prepare = (run_store().jobs.submit, "prepare")
    with st.container(horizontal=True):
        own_button(
            "Prepare with these folders",
            refusal or unchanged,
            key="data_folders",
            icon=":material/check:",
            type="secondary" if unchanged else "primary",
            action=(*prepare, {"name": info.name, "roles": dict(roles)}),
        )
        if stored:
            own_button(
                "Guess again",
                refusal,
                key="data_folders_guess",
                icon=":material/undo:",
                help="Forget what was set by hand.",
                action=(*prepare, {"name": info.name, "roles": {}}),
            )


def _edited_roles(info: DatasetInfo, layout: Layout) -> dict[str, str]:
    """Show the table; return the roles that were changed in it."""
    role_of_label = {label: role for role, label in FOLDER_ROLES.items()}
    shown = st.data_editor(
        [_row(row) for row in layout.folders],
        hide_index=True,
        disabled=("Folder", "Pictures", "Note"),
        key=f"data_folders_{info.name}_{info.fingerprint}",
        column_config={
            "Folder": st.column_config.TextColumn(width="medium"),
            "Pictures": st.column_config.NumberColumn(format="localized", width="small"),
            "Taken for": st.column_config.SelectboxColumn(
                options=list(role_of_label), required=True, help=_ROLE_HELP
            ),
        },
    )
    chosen = [role_of_label[str(row["Taken for"])] for row in shown]
    return {
        row.path: role for row, role in zip(layout.folders, chosen, strict=True) if role != row.role
    }


def _row(row: FolderRole) -> dict[str, str | int]:
    return {
        "Folder": _INDENT * row.path.count("/") + row.path.rpartition("/")[2] + "/",
        "Pictures": row.pictures,
        "Taken for": FOLDER_ROLES[row.role],
        "Note": row.reason,
    }


def describe_layout(layout: Layout) -> str:
    """Describe classes, splits and unused files in two sentences."""
    counts = Counter(placed.split for placed in layout.placed)
    splits = [f"{count(counts[split])} {FOLDER_ROLES[split]}" for split in SPLITS if counts[split]]
    classes = plural(len(layout.classes), "class")
    names = f" ({listed(layout.classes, 5)})" if layout.classes else ""
    return (
        f"{classes}{names}: {', '.join(splits) or 'no pictures'}. "
        f"{plural(len(layout.unused), 'file')} not used."
    )

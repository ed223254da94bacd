"""The folders of an own dataset on the Data page: what each is taken for, to be corrected."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.data.catalogue import folder_survey
from cnnlib.data.image_folder.split_names import SPLITS
from cnnlib.data.prepared import stored_options
from cnnlib.errors import CnnlibError
from cnnlib.records.dataset import counts_text
from cnnlib.runs.access.dataset_owners import dataset_owner
from cnnlib.ui.common.format import escape_markdown
from cnnlib.ui.common.messages import errors_shown
from cnnlib.ui.common.permissions import own_button, owner_note
from cnnlib.ui.common.shared import folders, run_store
from cnnlib.units import listed, plural
from cnnlib.vocabulary.datasets import FOLDER_ROLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamlit.delta_generator import DeltaGenerator

    from cnnlib.data.catalogue import FolderSurvey
    from cnnlib.data.image_folder.layout import FolderRole, Layout
    from cnnlib.data.image_folder.roles import Question
    from cnnlib.records.dataset import DatasetInfo

_INDENT = "\u2003"  # an em space; plain spaces at the start of a cell are not shown
_ROLE_HELP = (
    "A class is a folder whose pictures all have its name as their label, as have those of the "
    "folders that are a part of it. A group only holds other folders. Pictures of folders that are "
    "not used are left out."
)


def survey_of(info: DatasetInfo) -> FolderSurvey | None:
    """Return what the folders of an own dataset are taken for; None for others.

    A dataset without classes has its error in its note, which the page shows.
    """
    if not info.name.startswith("folder:"):
        return None
    with suppress(CnnlibError):
        return folder_survey(info.name, folders())
    return None


def folders_panel(info: DatasetInfo, survey: FolderSurvey) -> None:
    """Show the folders with their roles in a table that can be edited, and what follows from it."""
    has_questions = bool(survey.layout.questions)
    with st.expander("Folders", expanded=has_questions, icon=":material/account_tree:"):
        slot = st.container()
        stored = dict(stored_options(info.name, folders()).roles)
        edited = _edited_roles(info, survey.layout)
        with errors_shown():
            roles, is_answered = _answered_roles(info, stored | edited, slot)
            if roles != stored:
                survey = folder_survey(info.name, folders(), roles)
            st.markdown(escape_markdown(describe_survey(survey)))
            if roles == stored:
                st.caption(escape_markdown(describe_difference(survey, info)))
            _buttons(info, stored, roles, is_answered)


def _answered_roles(
    info: DatasetInfo, roles: Mapping[str, str], place: DeltaGenerator
) -> tuple[dict[str, str], bool]:
    """Show each question with a box that confirms the guess.

    Returns:
        The roles with those that were confirmed, and whether all questions are answered.
    """
    confirmed = dict(roles)
    shown: set[Question] = set()
    is_answered = True
    while True:
        survey = folder_survey(info.name, folders(), confirmed)
        layout, is_usable = survey.layout, any(each.train for each in survey.counts)
        new = [question for question in layout.questions if question not in shown]
        if not new:
            return confirmed, is_answered
        for question in new:
            shown.add(question)
            guess = {row.path: row.role for row in layout.folders if row.path in question.paths}
            place.warning(
                f"To be decided: {escape_markdown(question.text)}.", icon=":material/help:"
            )
            if is_usable and place.checkbox(
                f"Accept the guess ({escape_markdown(_guess_text(guess))})",
                key=f"data_folders_accept_{info.name}_{question.text}",
                help="Otherwise change the folders in the table.",
            ):
                confirmed |= guess
            else:
                is_answered = False


def _guess_text(guess: Mapping[str, str]) -> str:
    """``a/, b/: a class; test/: not used``."""
    by_role: dict[str, list[str]] = {}
    for path, role in guess.items():
        by_role.setdefault(role, []).append(f"{path}/")
    return "; ".join(f"{listed(paths, 5)}: {FOLDER_ROLES[role]}" for role, paths in by_role.items())


def _buttons(
    info: DatasetInfo, stored: Mapping[str, str], roles: Mapping[str, str], is_answered: bool
) -> None:
    """Show the buttons that prepare with the roles of the table, and with none by hand."""
    refusal = owner_note(dataset_owner(run_store(), info.name), "dataset")
    missing = "Change a folder first." if roles == stored else ""
    if not is_answered:
        missing = "Answer each question above: accept the guess, or change folders in the table."
    prepare = (run_store().jobs.submit, "prepare")
    with st.container(horizontal=True, vertical_alignment="center"):
        own_button(
            "Prepare with these folders",
            refusal or missing,
            key="data_folders",
            icon=":material/check:",
            type="secondary" if refusal or missing else "primary",
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
        if refusal or missing:
            st.caption(refusal or missing)


def _edited_roles(info: DatasetInfo, layout: Layout) -> dict[str, str]:
    """Show the table; return the roles that were changed in it."""
    role_of_label = {label: role for role, label in FOLDER_ROLES.items()}
    shown = st.data_editor(
        [_row(row) for row in layout.folders],
        hide_index=True,
        disabled=("Folder", "Pictures", "Note"),
        key=f"data_folders_{info.name}_{info.fingerprint}",
        column_config={
            "Folder": st.column_config.TextColumn(width=120),
            "Taken for": st.column_config.SelectboxColumn(
                options=list(role_of_label), required=True, help=_ROLE_HELP, width=145
            ),
            "Pictures": st.column_config.NumberColumn(format="localized", width=80),
        },
    )
    chosen = [role_of_label[str(row["Taken for"])] for row in shown]
    return {
        row.path: role for row, role in zip(layout.folders, chosen, strict=True) if role != row.role
    }


def _row(row: FolderRole) -> dict[str, str | int]:
    return {
        "Folder": _INDENT * row.path.count("/") + row.path.rpartition("/")[2] + "/",
        "Taken for": FOLDER_ROLES[row.role],
        "Pictures": row.pictures,
        "Note": row.reason,
    }


def describe_survey(survey: FolderSurvey) -> str:
    """Describe classes, splits and unused files in two sentences."""
    layout, counts = survey.layout, survey.counts
    names = f" ({listed(layout.classes, 5)})" if layout.classes else ""
    splits = (sum(getattr(each, split) for each in counts) for split in SPLITS)
    return (
        f"{plural(len(layout.classes), 'class')}{names}: {counts_text(*splits)}. "
        f"{plural(len(layout.unused), 'file')} not used."
    )


def describe_difference(survey: FolderSurvey, info: DatasetInfo) -> str:
    """Say why a prepared dataset has fewer pictures than its folders; "" if it has as many."""
    files = sum(each.train + each.validation + each.test for each in survey.counts)
    missing = files - info.train_count - info.test_count
    if missing <= 0:
        return ""
    return (
        f"These are the files by their names. When they were prepared, {plural(missing, 'file')} "
        "of them could not be used; the list of files not used below has the reasons."
    )

"""Actions on the results table: export, import, names and notes, new seeds, hiding, the trash."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.compare.annotations import annotation_of
from cnnlib.errors import CnnlibError
from cnnlib.report.page import FORMATS
from cnnlib.runs.archive.archive import export_bytes, import_runs
from cnnlib.train.submit import submit_runs
from cnnlib.ui.common.format import escape_markdown
from cnnlib.ui.common.messages import errors_shown, show_error
from cnnlib.ui.common.permissions import owner_note
from cnnlib.ui.common.shared import run_store, settings
from cnnlib.ui.results.duel_form import preselect_rows
from cnnlib.units import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.compare.columns import Column
    from cnnlib.compare.results_table import ResultsTable
    from cnnlib.compare.rows import Row

FRESH_SEEDS = 3


def export_menu(rows: Sequence[Row], shown: Sequence[Column]) -> None:
    """Show the downloads of the table; a file is written when its button is clicked."""
    with st.popover("Export", icon=":material/download:"):
        st.caption("Exports the selected rows, or all that the table shows.")
        for form in FORMATS.values():
            st.download_button(
                form.title,
                partial(form.write, rows, shown),
                f"results.{form.suffix}",
                form.mime,
                key=f"results_export_{form.suffix}",
                on_click="ignore",
                width="stretch",
            )
        _export_runs(rows)


def _export_runs(rows: Sequence[Row]) -> None:
    """Show the download of the rows' runs as one archive, for another lab to import."""
    ids = [run.id for row in rows for run in row.runs if not run.is_live]
    store = run_store()  # here, since the lambda below runs outside the page
    st.caption("The runs with their curves and predictions, as a file that Results can import.")
    st.download_button(
        *("Run archive", lambda: export_bytes(store, ids), "runs.zip", "application/zip"),
        key="results_export_runs",
        on_click="ignore",
        width="stretch",
        disabled=not ids,
    )


def import_menu() -> None:
    """Show the upload of an archive of runs from another lab."""
    with st.popover("Import", icon=":material/upload:"):
        shared = settings()
        most_mb = max(1, shared.person.upload_mb) if shared.class_mode.on else None
        file = st.file_uploader(
            "Run archive (zip file)", "zip", key="results_import", max_upload_size=most_mb
        )
        if file and st.button("Import the runs", type="primary", key="results_import_take"):
            try:
                ids = import_runs(run_store(), file)
            except CnnlibError as error:
                show_error(error)
                return
            st.query_params.from_dict({"run": ids[:60]})
            st.rerun()


def row_menu(table: ResultsTable, rows: Sequence[Row]) -> None:
    """Show the buttons that act on the selected rows."""
    if len(rows) == 1:
        _notes_menu(table, rows[0])
        if (
            not rows[0].runs[0].is_live
            and st.button(
                "New seeds", icon=":material/casino:", key="results_fresh", help=_FRESH_HELP
            )
            and _train_fresh_seeds(rows[0])
        ):
            st.rerun()
    if len(rows) == 2 and st.button(
        "Duel", icon=":material/balance:", key="results_duel", help=_DUEL_HELP, type="primary"
    ):
        preselect_rows(rows)
        st.rerun()
    notes = table.annotations()
    hidden = all(annotation_of(row, notes).hidden for row in rows)
    if st.button(
        "Show again" if hidden else "Hide",
        icon=":material/visibility:" if hidden else ":material/visibility_off:",
        key="results_hide",
    ):
        for row in rows:
            note = annotation_of(row, notes)
            table.annotate(row.key, replace(note, hidden=not hidden))
        st.rerun()
    refusal = _reason_not_deletable(rows)
    if st.button(
        "Delete",
        icon=":material/delete:",
        key="results_delete",
        help=refusal or None,
        disabled=bool(refusal),
    ):
        try:
            table.move_to_trash([run for row in rows for run in row.runs])
        except CnnlibError as error:
            show_error(error)
            return
        st.rerun()


def _reason_not_deletable(rows: Sequence[Row]) -> str:
    """Return the reason why these rows cannot be deleted; "" if they can."""
    runs = [run for row in rows for run in row.runs]
    if any(owner_note(run.owner, "run") for run in runs):
        return _OTHERS_HELP
    return _LIVE_HELP if any(run.is_live for run in runs) else ""


_LIVE_HELP = "Only a run that has ended can be deleted. Stop it on the page Train first."
_OTHERS_HELP = (
    'Some of these runs belong to another person. Switch on "Each seed", then select only your '
    "runs."
)
_DUEL_HELP = (
    "Opens a duel of these two, each with its own recipe. It trains both with the same seeds to "
    "find out which one is better."
)
_FRESH_HELP = (
    f"Trains this design with {FRESH_SEEDS} new seeds. Their mean is a fair estimate, because the "
    'design was not chosen by these results. Switch on "Each seed" to see the new runs alone.'
)


def _train_fresh_seeds(row: Row) -> list[str]:
    """Submit runs like the row's first, with new seeds; return their ids."""
    seed = 1 + max(row.seeds)
    request = replace(row.runs[0].request, seed=seed)
    with errors_shown():
        return submit_runs(run_store(), request, FRESH_SEEDS)
    return []


def _notes_menu(table: ResultsTable, row: Row) -> None:
    note = annotation_of(row, table.annotations())
    with (
        st.popover("Name, note, tags", icon=":material/edit_note:"),
        st.form(f"results_note_{row.key}", border=False),
    ):
        name = st.text_input("Name", note.name, placeholder=row.name, max_chars=120)
        text = st.text_area("Note", note.note, max_chars=2000)
        tags = st.text_input("Tags", ", ".join(note.tags), placeholder="separated by commas")
        if st.form_submit_button("Save", type="primary"):
            new_tags = tuple(tag.strip() for tag in tags.split(",") if tag.strip())
            try:
                table.annotate(row.key, replace(note, name=name.strip(), note=text, tags=new_tags))
                if name.strip() != note.name:
                    table.rename_runs(row, name.strip())
            except CnnlibError as error:
                show_error(error)
                return
            st.rerun()


def show_trash(table: ResultsTable) -> None:
    """Show the number of deleted runs, with buttons that restore or remove them."""
    deleted = table.own_trash()
    if not deleted:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"{plural(len(deleted), 'deleted run')}. You can undo this for a week.")
        if st.button("Undo", icon=":material/undo:", key="results_undo"):
            latest = max(deleted.values())
            table.restore([run_id for run_id, when in deleted.items() if latest - when < 1.0])
            st.rerun()
        if st.button("Delete permanently", key="results_empty", type="tertiary"):
            table.empty_trash()
            st.rerun()


def show_notes(table: ResultsTable, rows: Sequence[Row]) -> None:
    """Show the notes and tags of the selected rows that have any."""
    notes = table.annotations()
    for row in rows:
        note = annotation_of(row, notes)
        tags = (f":gray-badge[{escape_markdown(tag)}]" for tag in note.tags)
        text = " ".join([escape_markdown(note.note), *tags]).strip()
        if text:
            st.markdown(f"**{escape_markdown(row.name)}**: {text}")

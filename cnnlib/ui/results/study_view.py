"""Parts of the views of duels and experiments: the list of earlier ones, the stop button."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import streamlit as st

from cnnlib.errors import CnnlibError
from cnnlib.experiments.study import advance_studies, resume_study
from cnnlib.runs import studies
from cnnlib.ui.common.format import escape_markdown
from cnnlib.ui.common.messages import errors_shown, fragment, show_error, show_not_found
from cnnlib.ui.common.permissions import own_button, owner_note
from cnnlib.ui.common.shared import run_store
from cnnlib.ui.results.sections import open_section

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cnnlib.experiments.duel import DuelState
    from cnnlib.experiments.grid import ExperimentState
    from cnnlib.runs.store import RunStore
    from cnnlib.runs.studies import Study

    State = DuelState | ExperimentState

REFRESH_SECONDS = 2.0
_MOST_LINKS = 12


def study_view(
    study_id: str,
    what: str,
    kinds: Sequence[str],
    state_of: Callable[[RunStore, str], State],
    show: Callable[[str, str], None],
    is_awaited: Callable[[State], bool] = lambda state: False,
) -> None:
    """Show the state of a study, updated while it is live.

    Args:
        what: ``"duel"`` or ``"experiment"``, of one of these kinds.
        show: Takes the id and the present state; reruns the page when the state has changed.
        is_awaited: Whether something that is shown is still being computed, such as a speed.
    """
    store = run_store()
    if study_id not in {each.id for each in studies.find_all(store, kinds)}:
        show_not_found(what, study_id)
        return
    try:
        found = state_of(store, study_id)
    except CnnlibError as error:
        show_error(error)
        return
    waits = found.state != "live" and is_awaited(found)

    def show_until_it_is_there() -> None:
        if waits and not is_awaited(found):
            st.rerun()  # stop the refresh
        show(study_id, found.state)

    refresh = REFRESH_SECONDS if waits or found.state == "live" else None
    fragment(show_until_it_is_there, run_every=refresh)()


def live_studies(
    kinds: Sequence[str],
    current: str | None,
    describe: Callable[[Study], tuple[str, float, str]],
    page: str,
    section: Literal["duel", "experiment"],
) -> None:
    """Show the progress of the other studies of some kinds that are live.

    Args:
        current: Id of the study that the page shows.
        describe: Returns title, share that is done, and text of a study with its runs.
        page, section: As in `past_studies`.
    """
    store = run_store()
    live = [
        each.id
        for each in studies.find_all(store, kinds)
        if each.state == studies.LIVE and each.id != current
    ]
    if not live:
        return

    def show() -> None:
        advance_studies(store)
        found = [studies.find(store, study_id, section) for study_id in live]
        if any(each.state != studies.LIVE for each in found):
            st.rerun()
        for study in found:
            title, share, text = describe(study)
            with st.container(border=True):
                st.button(
                    f"Running: {escape_markdown(title)}",
                    key=f"{page}_live_{study.id}",
                    type="tertiary",
                    icon=":material/arrow_forward:",
                    on_click=open_section,
                    args=(section, study.id),
                )
                st.progress(share, escape_markdown(text))

    fragment(show, run_every=REFRESH_SECONDS)()


def past_studies(
    kinds: Sequence[str],
    current: str | None,
    title: str,
    describe: Callable[[Study], str],
    page: str,
    section: Literal["duel", "experiment"],
) -> None:
    """Show links to the other studies of some kinds that are over, the newest first.

    Args:
        current: Id of the study that the page shows.
        page: Start of the keys of its widgets.
        section: Of the Results page.
    """
    found = [
        each
        for each in studies.find_all(run_store(), kinds)
        if each.id != current and each.state != studies.LIVE
    ]
    if not found:
        return
    st.header(title)
    for study in found[:_MOST_LINKS]:
        st.button(
            escape_markdown(describe(study)),
            key=f"{page}_past_{study.id}",
            type="tertiary",
            icon=":material/arrow_forward:",
            on_click=open_section,
            args=(section, study.id),
        )
    if len(found) > _MOST_LINKS:
        st.caption(f"The newest {_MOST_LINKS} of {len(found):,}.")


def another_button(section: Literal["duel", "experiment"], *, key: str) -> None:
    """Show a button that leads back to the form of a duel or an experiment."""
    st.button(
        f"Another {section}",
        icon=":material/add:",
        key=key,
        on_click=open_section,
        args=(section,),
    )


def stop_study_button(state: State, what: str, *, key: str) -> None:
    """Show a button that stops a live study: a ``"duel"`` or an ``"experiment"``."""
    if state.state == "live" and own_button(
        f"Stop the {what}",
        owner_note(state.owner, what),
        icon=":material/stop_circle:",
        key=key,
    ):
        studies.stop(run_store(), state.id)
        st.rerun()


def resume_study_button(state: State, what: str, *, key: str) -> None:
    """Show a button that resumes a ``"duel"`` or an ``"experiment"`` that misses runs."""
    if own_button(
        f"Resume the {what}",
        owner_note(state.owner, what),
        icon=":material/play_arrow:",
        key=key,
        help=_RESUME_HELP,
    ):
        with errors_shown():
            resume_study(run_store(), state.id)
            st.rerun()


_RESUME_HELP = (
    "Trains the runs that have no result: those that were broken off go on from their last "
    "checkpoint, the others start."
)

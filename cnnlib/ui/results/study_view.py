"""What the pages of duels and of experiments share: a study, the earlier ones, the stop button."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.experiments.study import advance_studies
from cnnlib.runs import studies
from cnnlib.ui.common.components import live_chart
from cnnlib.ui.common.format import escape_markdown
from cnnlib.ui.common.messages import errors_shown, fragment
from cnnlib.ui.common.permissions import own_button, owner_note
from cnnlib.ui.common.shared import run_store

if TYPE_CHECKING:
    from cnnlib.runs.store import RunStore
    from cnnlib.runs.studies import Study

REFRESH_SECONDS = 2.0
_MOST_LINKS = 12
_MOST_CHARTS = 4


@dataclass(frozen=True)
class StudyPage:
    """A page that starts studies and shows them.

    Args:
        name: Start of the keys of its widgets.
        what: ``"duel"`` or ``"experiment"``; also the parameter of its address with a study's id.
        kinds: Of its studies.
        another: Label of the button that leads back to the form.
        earlier: Heading of the earlier studies.
        read: Reads the state of a study.
        draw: Draws a state.
        describe: Describes an earlier study in one line.
        form: Shows the form of a new study; returns the id of one just started.
    """

    name: str
    what: str
    kinds: Sequence[str]
    another: str
    earlier: str
    read: Callable[[RunStore, str], Any]
    draw: Callable[[Any], None]
    describe: Callable[[Study], str]
    form: Callable[[], str | None]

    def show(self) -> None:
        """Show the study in the address, else the form; below it the earlier studies."""
        current = st.query_params.get(self.what)
        if current:
            with errors_shown():
                self._show_study(current)
            if st.button(self.another, icon=":material/add:", key=f"{self.name}_another"):
                del st.query_params[self.what]
                st.rerun()
        elif started := self.form():
            self.open(started)
        self._show_earlier(current)

    def open(self, study_id: str) -> None:
        """Rerun the page with a study in its address."""
        st.query_params[self.what] = study_id
        st.rerun()

    def _show_study(self, study_id: str) -> None:
        """Show the state of a study, updated while it is live."""
        state = self.read(run_store(), study_id).state
        every = REFRESH_SECONDS if state == "live" else None
        fragment(self._draw_state, run_every=every)(study_id, state)

    def _draw_state(self, study_id: str, shown: str) -> None:
        """Draw the present state; rerun the page if it is no longer the one that was shown."""
        store = run_store()
        advance_studies(store)
        state = self.read(store, study_id)
        if state.state != shown:
            st.rerun()
        self.draw(state)
        if state.state == "live" and own_button(
            f"Stop the {self.what}",
            owner_note(state.owner, self.what),
            icon=":material/stop_circle:",
            key=f"{self.name}_stop",
        ):
            studies.stop(store, study_id)
            st.rerun()

    def _show_earlier(self, current: str | None) -> None:
        """Show links to the other studies, the newest first."""
        found = studies.find_all(run_store(), self.kinds)
        others = [study for study in found if study.id != current]
        if others:
            st.header(self.earlier)
        for study in others[:_MOST_LINKS]:
            if st.button(
                escape_markdown(self.describe(study)),
                key=f"{self.name}_past_{study.id}",
                type="tertiary",
                icon=":material/arrow_forward:",
            ):
                self.open(study.id)


def show_curves(state: Any, *, key: str) -> None:
    """Show the live curves of the first active runs of a study."""
    active = [run for run in state.runs if run.is_live and run.state != "queued"]
    if active:
        live_chart(active[:_MOST_CHARTS], key=key)

"""Buttons for what may be somebody else's: they say why they are switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.errors import CnnlibError
from cnnlib.ui.common.format import escape_markdown
from cnnlib.ui.common.shared import run_store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cnnlib.records.job import Job
    from cnnlib.records.run import Run


def owner_note(owner: str, what: str) -> str:
    """Why who looks at the page may not change this; "" where they may.

    Args:
        what: ``"run"``, ``"duel"``, ``"dataset"``...
    """
    if run_store().may_change(owner):
        return ""
    return f"This {what} belongs to somebody else. You can look at it, but not change it."


def own_runs(runs: Sequence[Run]) -> list[Run]:
    """Those of the runs that who looks at the page may change."""
    store = run_store()
    return [run for run in runs if store.may_change(run.owner)]


def stop_button(job: Job, *, key: str) -> None:
    """Ends a job, for who may."""
    why_not = owner_note(job.owner, "job")
    st.button(
        "Stop",
        key=key,
        help=why_not or None,
        disabled=bool(why_not),
        on_click=attempt,
        args=(run_store().stop_job, job.id),
    )


def attempt(action: Callable[..., Any], *args: Any) -> None:
    """Called back by a widget: do it, or say in a sentence why not."""
    try:
        action(*args)
    except CnnlibError as error:
        st.toast(escape_markdown(error), icon=":material/error:", duration="infinite")

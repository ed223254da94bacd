"""Ownership checks and buttons that are disabled, with a reason, for things of other owners."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from cnnlib.errors import CnnlibError
from cnnlib.records.job import Job
from cnnlib.records.run import Run
from cnnlib.ui.common.format import escape_markdown
from cnnlib.ui.common.shared import run_store


def owner_note(owner: str, what: str) -> str:
    """Return the reason why the visitor may not change something; "" if permitted.

    Args:
        owner: Its owner in the run store.
        what: ``"run"``, ``"duel"``, ``"dataset"``...
    """
    if run_store().may_change(owner):
        return ""
    return f"This {what} belongs to another person. You can view it, but you cannot change it."


def own_runs(runs: Sequence[Run]) -> list[Run]:
    """Return the runs that the visitor may change."""
    store = run_store()
    return [run for run in runs if store.may_change(run.owner)]


def stop_button(job: Job, *, key: str) -> None:
    """Show a button that stops a job; disabled if the visitor may not."""
    note = owner_note(job.owner, "job")
    own_button("Stop", note, key=key, action=(run_store().jobs.stop, job.id))


def own_button(
    label: str,
    note: str,
    *,
    help: str | None = None,
    action: tuple[Any, ...] = (),
    **options: Any,
) -> bool:
    """Show a button; disabled, with the reason, if the visitor may not change the thing.

    Args:
        note: Result of `owner_note`.
        action: A function and its arguments, which a click attempts.
        options: Of ``st.button``.

    Returns:
        Whether it was clicked.
    """
    if action:
        options |= {"on_click": attempt, "args": action}
    return st.button(label, help=note or help, disabled=bool(note), **options)


def attempt(action: Callable[..., Any], *args: Any) -> None:
    """Widget callback: run an action, and show its `CnnlibError` as a toast."""
    try:
        action(*args)
    except CnnlibError as error:
        st.toast(escape_markdown(error), icon=":material/error:", duration="infinite")

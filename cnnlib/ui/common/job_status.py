"""Work that takes longer than a page may: asked for, watched, stopped, and its result kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.ui.common.format import duration, escape_markdown
from cnnlib.ui.common.messages import fragment, show_error
from cnnlib.ui.common.permissions import attempt, stop_button
from cnnlib.ui.common.shared import run_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cnnlib.records.job import Job

_LOOK_SECONDS = 0.5


def job_result(
    kind: str, args: Mapping[str, Any], *, label: str, key: str
) -> Mapping[str, Any] | None:
    """The stored result of a job, or a button that asks for it, or its progress.

    Args:
        label: Of the button.
    """
    job = run_store().latest_job(kind, args)
    if job is not None and job.state == "done":
        return job.result
    if is_watched(job, key=key):
        return None
    st.button(
        label,
        key=key,
        icon=":material/play_arrow:",
        on_click=attempt,
        args=(run_store().submit_job, kind, dict(args)),
    )
    return None


def is_watched(job: Job | None, *, key: str, whose: str = "") -> bool:
    """Whether a job goes on; its progress is then shown with Stop, else why it failed if it did.

    The page runs again when the job has ended.

    Args:
        whose: Stands before what the job is doing, where several are shown.
    """
    if job is not None and job.is_live:
        fragment(_watch, run_every=_LOOK_SECONDS)(job.id, key, whose)
        return True
    if job is not None and job.state == "failed":
        show_error(job.reason)
    return False


def _watch(job_id: str, key: str, whose: str) -> None:
    job = run_store().job(job_id)
    if not job.is_live:
        st.rerun()
    left = "" if job.eta_seconds is None else f", about {duration(job.eta_seconds)} left"
    st.progress(
        job.progress, text=escape_markdown(f"{whose}{job.text or 'Waiting for a worker'}{left}")
    )
    stop_button(job, key=f"{key}_stop")

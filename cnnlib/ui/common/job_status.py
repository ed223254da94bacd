"""Buttons, progress and results of jobs: computations by a worker that are too long for a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from cnnlib.records.job import Job
from cnnlib.ui.common.format import duration, escape_markdown
from cnnlib.ui.common.messages import fragment, show_error
from cnnlib.ui.common.permissions import attempt, stop_button
from cnnlib.ui.common.shared import fetch_prepared, run_store

_POLL_SECONDS = 0.5


def job_result(
    kind: str, args: Mapping[str, Any], *, label: str, key: str
) -> Mapping[str, Any] | None:
    """Return the stored result of a job; without one, show its progress or a button to queue it.

    Args:
        label: Text of the button.
    """
    job = run_store().jobs.latest(kind, args)
    if job is not None and job.state == "done":
        return job.result
    job_button(kind, args, label, key=key, icon=":material/play_arrow:")
    return None


def job_button(
    kind: str,
    args: Mapping[str, Any],
    label: str,
    *,
    key: str,
    icon: str,
    prefix: str = "",
    help: str | None = None,
) -> None:
    """Show a button that queues a job, or the progress of the one that is live.

    Args:
        prefix: Text before the progress text, to distinguish several jobs.
    """
    jobs = run_store().jobs
    if not show_job_progress(jobs.latest(kind, args), key=key, prefix=prefix):
        submit = (jobs.submit, kind, dict(args))
        st.button(label, key=key, icon=icon, help=help, on_click=attempt, args=submit)


def show_job_progress(job: Job | None, *, key: str, prefix: str = "") -> bool:
    """Show the progress of a live job with a Stop button, or the reason of a failed one.

    The page reruns when the job has ended.

    Args:
        prefix: Text before the progress text, to distinguish several jobs.

    Returns:
        Whether the job is live.
    """
    if job is not None and job.is_live:
        fragment(_draw_progress, run_every=_POLL_SECONDS)(job.id, key, prefix)
        return True
    if job is not None and job.state == "failed":
        show_error(job.reason)
    return False


def _draw_progress(job_id: str, key: str, prefix: str) -> None:
    """Draw the progress bar and the Stop button; rerun the page if the job has ended."""
    job = run_store().jobs.find(job_id)
    if not job.is_live:
        fetch_prepared(job)
        st.rerun()
    text = run_store().jobs.wait_reason(job) if job.state == "queued" else job.text or "Starting"
    left = "" if job.eta_seconds is None else f", about {duration(job.eta_seconds)} left"
    st.progress(job.progress, text=escape_markdown(f"{prefix}{text}{left}"))
    stop_button(job, key=f"{key}_stop")

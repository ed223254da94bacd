"""Work that takes longer than a page may: asked for, watched, stopped, and its result kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from cnnlib.records.job import Job
from cnnlib.ui.resources import run_store
from cnnlib.ui.rights import attempt, stop_button
from cnnlib.ui.words import duration

_LOOK_SECONDS = 0.5


def job_result(
    kind: str, args: Mapping[str, Any], *, label: str, key: str
) -> Mapping[str, Any] | None:
    """The stored result of a job, or a button that asks for it, or its progress.

    Args:
        label: Of the button.
    """
    job = _latest(kind, args)
    if job is not None and job.state == "done":
        return job.result
    if job is not None and job.is_live:
        st.fragment(_watch, run_every=_LOOK_SECONDS)(job.id, key)
        return None
    if job is not None and job.state == "failed":
        st.error(job.reason, icon=":material/error:")
    st.button(
        label,
        key=key,
        icon=":material/play_arrow:",
        on_click=attempt,
        args=(run_store().submit_job, kind, dict(args)),
    )
    return None


def _latest(kind: str, args: Mapping[str, Any]) -> Job | None:
    """The newest job of this kind with these arguments."""
    asked = dict(args)
    jobs = (job for job in run_store().jobs() if job.kind == kind and dict(job.args) == asked)
    return next(jobs, None)


def _watch(job_id: str, key: str) -> None:
    """Progress with Stop; the page runs again when the job has ended."""
    job = run_store().job(job_id)
    if not job.is_live:
        st.rerun()
    left = "" if job.eta_seconds is None else f", {duration(job.eta_seconds)} left"
    st.progress(job.progress, text=(job.text or "waiting for a worker") + left)
    stop_button(job, key=f"{key}_stop")

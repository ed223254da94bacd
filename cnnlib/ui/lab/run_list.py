"""A list of runs, one row each, with a link to the Train page."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.ui.common.format import STATE_LABELS, ago, escape_markdown
from cnnlib.ui.common.urls import TRAIN
from cnnlib.units import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.records.run import Run

_ICONS = {
    "queued": ":material/schedule:",
    "starting": ":material/hourglass_top:",
    "running": ":material/show_chart:",
    "paused": ":material/pause_circle:",
    "finished": ":material/check_circle:",
    "stopped": ":material/stop_circle:",
    "interrupted": ":material/power_settings_new:",
    "diverged": ":material/trending_up:",
    "failed": ":material/error:",
    "lost": ":material/link_off:",
}


def run_list(runs: Sequence[Run]) -> None:
    """Show a link to each run, with its state, accuracy and age beside it."""
    for run in runs:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.page_link(
                TRAIN,
                label=escape_markdown(run.title),
                icon=_ICONS[run.state],
                query_params={"run": run.id},
            )
            st.caption(describe_state(run, time.time()))


def describe_state(run: Run, now: float) -> str:
    """Describe a run: ``Finished, 98.20 % test accuracy, 3 min ago``.

    Args:
        now: In seconds since the epoch.
    """
    accuracy = run.summary.get("test_accuracy")
    parts = [STATE_LABELS[run.state]]
    if accuracy is not None:
        parts.append(f"{percent(accuracy)} test accuracy")
    parts.append(ago(now - run.created))
    return ", ".join(parts)

"""The live chart: status and curves of runs, kept up to date by the browser alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.ui.common.urls import LOADER, RUNS_ADDRESS, at_root, script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cnnlib.records.run import Run

_live_chart = st.components.v2.component("cnnlab_live_chart", js=LOADER)


def live_chart(
    runs: Sequence[Run], *, key: str, status: bool = True, outcomes: Mapping[str, str] | None = None
) -> None:
    """Curves of runs laid over each other; the page reruns when one of them changes its state.

    Args:
        runs: As the page knows them now.
        status: Show what each run is doing, with its numbers; otherwise its name alone.
        outcomes: What an ended run is worth, as a sentence by run id; stands beside its state.
    """
    _live_chart(
        key=key,
        data={
            "script": script("common/live/live.js"),
            "runs_address": at_root(RUNS_ADDRESS),
            "runs": [
                {
                    "id": run.id,
                    "name": run.title,
                    "state": run.state,
                    "outcome": (outcomes or {}).get(run.id, ""),
                }
                for run in runs
            ],
            "status": status,
        },
        on_changed_change=lambda: None,
    )

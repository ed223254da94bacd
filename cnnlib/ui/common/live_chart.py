"""The live chart: status and curves of runs; the browser polls for updates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.ui.common.shared import run_store
from cnnlib.ui.common.urls import LOADER, RUNS_ADDRESS, at_root, script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cnnlib.records.run import Run

_live_chart = st.components.v2.component("cnnlab_live_chart", js=LOADER)


def live_chart(
    runs: Sequence[Run], *, key: str, status: bool = True, outcomes: Mapping[str, str] | None = None
) -> None:
    """Show the curves of runs in shared charts.

    The page reruns when a run changes its state, its name or a setting, or was deleted.

    Args:
        runs: The runs as last read by the page.
        status: Whether to show the state and numbers of each run; otherwise only its name.
        outcomes: Sentence on the result of each ended run, by run id; shown beside its state.
    """
    _live_chart(
        key=key,
        data={
            "script": script("common/live/live.bundle.js"),
            "runs_address": at_root(RUNS_ADDRESS),
            "runs": [
                {
                    "id": run.id,
                    "name": run.title,
                    "state": run.state,
                    "changes": len(run_store().interventions(run.id)),
                    "label_smoothing": run.request.recipe.label_smoothing,
                    "outcome": (outcomes or {}).get(run.id, ""),
                }
                for run in runs
            ],
            "status": status,
        },
        on_changed_change=lambda: None,
    )

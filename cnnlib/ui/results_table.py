"""The table of all runs: a frame made of records, its columns, and the selection."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.typing import DataframeState

from cnnlib.records.run import Run
from cnnlib.ui.words import STATE_WORDS

if TYPE_CHECKING:
    import pandas as pd


def results_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """One row per run; accuracies in per cent, None where a number is not known (yet)."""
    import pandas as pd  # takes seconds at first: only the page that shows a table pays

    return pd.DataFrame([_row(run) for run in runs], columns=list(_COLUMNS))


def selectable_table(runs: Sequence[Run], selected: Sequence[str], *, key: str) -> list[str]:
    """The table, with some rows selected; returns the ids that are selected now.

    Streamlit names rows by their place. When a run is added or removed the places change, so the
    table becomes a new one, with the same runs selected.
    """
    ids = [run.id for run in runs]
    shown = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16]
    rows = [ids.index(run_id) for run_id in selected if run_id in ids]
    state: DataframeState = st.dataframe(
        results_frame(runs),
        key=f"{key}_{shown}",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": rows, "columns": [], "cells": []}},
        column_config=_column_config(),
        placeholder="–",
    )
    return [ids[row] for row in sorted(state["selection"]["rows"]) if row < len(ids)]


def _row(run: Run) -> dict[str, Any]:
    summary = run.summary
    return {
        "Run": run.title,
        "State": STATE_WORDS[run.state],
        "Dataset": run.request.dataset,
        "Parameters": run.plan_cost.get("params"),
        "MACs": run.plan_cost.get("macs"),
        "First loss": summary.get("first_train_loss"),
        "Last loss": summary.get("last_train_loss"),
        "Validation": _percent(summary.get("last_val_accuracy")),
        "Test": _percent(summary.get("test_accuracy")),
        "Epochs": run.epoch,
        "Seconds": run.train_seconds,
        "Images/s": summary.get("images_per_second"),
    }


def _percent(fraction: float | None) -> float | None:
    return None if fraction is None else 100 * fraction


_COLUMNS = (
    *("Run", "State", "Dataset", "Parameters", "MACs", "First loss", "Last loss"),
    *("Validation", "Test", "Epochs", "Seconds", "Images/s"),
)


def _column_config() -> dict[str, Any]:
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    return {
        "Run": text(pinned=True, width="medium", help="Name or preset, dataset and seed"),
        "Parameters": number(format="localized", help="Trainable parameters"),
        "MACs": number(format="compact", help="Multiply-accumulates for one image"),
        "First loss": number(format="%.4f", help="Training loss, mean of the first epoch"),
        "Last loss": number(format="%.4f", help="Training loss, mean of the last epoch"),
        "Validation": number(format="%.2f %%", help="Accuracy on the validation split, last epoch"),
        "Test": number(
            format="%.2f %%", help="Accuracy on the test split, measured once, at the end"
        ),
        "Epochs": number(help="Epochs finished"),
        "Seconds": number(format="%.1f", help="Training time; pauses and measurements left out"),
        "Images/s": number(format="%d", help="Training images per second"),
    }

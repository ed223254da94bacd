"""The Experiments page: grids and searches over settings, and their results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.experiments.grid import (
    KINDS,
    ExperimentState,
    best_so_far,
    effects,
    experiment_state,
)
from cnnlib.figures.compare import best_figure, effects_figure
from cnnlib.ui.common.format import STATE_LABELS, duration, escape_markdown
from cnnlib.ui.common.messages import show_warning
from cnnlib.ui.common.urls import RESULTS
from cnnlib.ui.results.experiment_form import experiment_form
from cnnlib.ui.results.study_view import StudyPage, show_curves
from cnnlib.units import percent, plural

if TYPE_CHECKING:
    from cnnlib.runs.studies import Study


def show() -> None:
    """Show the page."""
    st.title("Experiments")
    StudyPage(
        *("experiments", "experiment", KINDS, "Another experiment", "All experiments"),
        read=experiment_state,
        draw=_show_experiment,
        describe=_describe_study,
        form=experiment_form,
    ).show()


_STATES: Mapping[str, str] = {"live": "running", "done": "done", "stopped": "stopped"}
_ACCURACY = "Validation accuracy"
_ACCURACY_HELP = "Best epoch of each run, mean over seeds. A run that diverged counts as 0 %."


def _describe_study(study: Study) -> str:
    trials = study.body.get("trials") or study.progress.get("trials") or [{}]
    title = study.body.get("name") or ", ".join(trials[0]) or study.id
    runs = plural(len(study.progress["runs"]), "run")
    return f"{title}: {study.kind}, {runs}, {_STATES[study.state]}"


def _show_experiment(state: ExperimentState) -> None:
    _show_progress(state)
    if state.problem:
        show_warning(state.problem)
    if state.best:
        measured = sum(trial.score is not None for trial in state.trials)
        st.info(
            escape_markdown(
                f"Best of {plural(measured, 'combination')} so far: {state.best.title}, with "
                f"{percent(state.best.score)} validation accuracy in its best epoch. The best of "
                "several is partly luck: train it with fresh seeds for a fair estimate."
            ),
            icon=":material/trophy:",
        )
    left, right = st.columns(2)
    scores = [trial.score for trial in state.trials if trial.score is not None]
    left.plotly_chart(effects_figure(effects(state.trials)), key=f"experiments_effects_{state.id}")
    right.plotly_chart(
        best_figure(scores, best_so_far(state.trials)), key=f"experiments_best_{state.id}"
    )
    _show_trials(state)


def _show_progress(state: ExperimentState) -> None:
    left = f", about {duration(state.eta_seconds)} left" if state.eta_seconds is not None else ""
    prefix = {"live": "", "done": "Done: ", "stopped": "Stopped: "}[state.state]
    share = state.ended / state.asked if state.asked else 0.0
    st.progress(
        min(1.0, share), f"{prefix}{state.ended} of {plural(state.asked, 'run')} finished{left}"
    )
    show_curves(state, key="experiments_live")


def _show_trials(state: ExperimentState) -> None:
    """Show a table of the trials with their scores, and the invalid ones with the reason."""
    import pandas as pd

    rows = [
        {
            "Settings": trial.title,
            _ACCURACY: None if trial.score is None else 100 * trial.score,
            "Status": ", ".join(dict.fromkeys(STATE_LABELS[run.state] for run in trial.runs)),
        }
        for trial in state.trials
    ]
    st.dataframe(
        pd.DataFrame(rows, columns=["Settings", _ACCURACY, "Status"]),
        hide_index=True,
        key=f"experiments_trials_{state.id}",
        column_config={
            _ACCURACY: st.column_config.NumberColumn(format="%.2f %%", help=_ACCURACY_HELP)
        },
    )
    if state.invalid:
        count = len(state.invalid)
        verb = "is" if count == 1 else "are"
        with st.expander(f"{plural(count, 'combination')} {verb} not valid"):
            for trial in state.invalid:
                st.caption(escape_markdown(f"{trial.title}: {trial.reason}"))
    ids = [run.id for run in state.runs]
    if ids:
        st.page_link(RESULTS, label="See these runs in Results", query_params={"run": ids[:60]})

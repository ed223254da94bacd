"""The state of an experiment: effects of the settings, the best trial, all trials."""

from __future__ import annotations

import streamlit as st

from cnnlib.errors import CnnlibError
from cnnlib.experiments.grid import (
    KINDS,
    ExperimentState,
    best_so_far,
    effects,
    experiment_state,
)
from cnnlib.experiments.study import advance_studies, find_studies, stop_study
from cnnlib.figures.compare import best_figure, effects_figure
from cnnlib.ui.common.format import STATE_LABELS, duration, escape_markdown
from cnnlib.ui.common.live_chart import live_chart
from cnnlib.ui.common.messages import fragment, show_error, show_warning
from cnnlib.ui.common.permissions import owner_note
from cnnlib.ui.common.shared import run_store
from cnnlib.ui.common.urls import RESULTS
from cnnlib.units import percent, plural

REFRESH_SECONDS = 2.0
_STATES = {"live": "running", "done": "done", "stopped": "stopped"}
_ACCURACY = "Validation accuracy"
_ACCURACY_HELP = "Best epoch of each run, mean over seeds. A run that diverged counts as 0 %."


def experiment_view(study_id: str) -> None:
    """Show the state of an experiment, updated while it is live."""
    try:
        state = experiment_state(run_store(), study_id)
    except CnnlibError as error:
        show_error(error)
        return
    fragment(_show_experiment, run_every=REFRESH_SECONDS if state.state == "live" else None)(
        study_id, state.state
    )


def past_experiments(current: str | None) -> None:
    """Show links to the other experiments, the newest first."""
    studies = [study for study in find_studies(run_store(), KINDS) if study.id != current]
    if not studies:
        return
    st.header("All experiments")
    for study in studies[:12]:
        trials = study.body.get("trials") or study.progress.get("trials") or [{}]
        title = study.body.get("name") or ", ".join(trials[0]) or study.id
        runs = plural(len(study.progress["runs"]), "run")
        label = f"{title}: {study.kind}, {runs}, {_STATES[study.state]}"
        icon = ":material/arrow_forward:"
        if st.button(
            escape_markdown(label), key=f"experiments_past_{study.id}", type="tertiary", icon=icon
        ):
            st.query_params["experiment"] = study.id
            st.rerun()


def _show_experiment(study_id: str, shown_state: str) -> None:
    store = run_store()
    advance_studies(store)
    state = experiment_state(store, study_id)
    if state.state != shown_state:
        st.rerun()
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
    left.plotly_chart(effects_figure(effects(state.trials)), key=f"experiments_effects_{study_id}")
    right.plotly_chart(
        best_figure(scores, best_so_far(state.trials)), key=f"experiments_best_{study_id}"
    )
    _show_trials(state)
    refusal = owner_note(state.owner, "experiment")
    if state.state == "live" and st.button(
        "Stop the experiment",
        icon=":material/stop_circle:",
        key="experiments_stop",
        help=refusal or None,
        disabled=bool(refusal),
    ):
        stop_study(store, study_id)
        st.rerun()


def _show_progress(state: ExperimentState) -> None:
    left = f", about {duration(state.eta_seconds)} left" if state.eta_seconds is not None else ""
    prefix = {"live": "", "done": "Done: ", "stopped": "Stopped: "}[state.state]
    share = state.ended / state.asked if state.asked else 0.0
    st.progress(
        min(1.0, share), f"{prefix}{state.ended} of {plural(state.asked, 'run')} finished{left}"
    )
    active = [
        run for trial in state.trials for run in trial.runs if run.is_live and run.state != "queued"
    ]
    if active:
        live_chart(active[:4], key="experiments_live")


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
    ids = [run.id for trial in state.trials for run in trial.runs]
    if ids:
        st.page_link(RESULTS, label="See these runs in Results", query_params={"run": ids[:60]})

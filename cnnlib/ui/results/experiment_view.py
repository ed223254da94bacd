"""Experiments on the Results page: grids and searches over settings, and their results."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.compare.groups import study_title
from cnnlib.experiments.grid import (
    KINDS,
    ExperimentState,
    best_sentence,
    best_so_far,
    effects,
    effects_note,
    effects_sentence,
    experiment_state,
    read_experiment,
)
from cnnlib.experiments.search import start_finer_search
from cnnlib.experiments.study import advance_studies
from cnnlib.figures.compare import best_figure, effects_figure
from cnnlib.runs import studies
from cnnlib.ui.common.components import live_chart
from cnnlib.ui.common.format import STATE_LABELS, duration, escape_markdown
from cnnlib.ui.common.messages import errors_shown, show_warning
from cnnlib.ui.common.shared import run_store
from cnnlib.ui.common.urls import put_runs_in_address
from cnnlib.ui.results.experiment_form import experiment_form
from cnnlib.ui.results.sections import open_section
from cnnlib.ui.results.study_view import (
    another_button,
    live_studies,
    past_studies,
    resume_study_button,
    stop_study_button,
    study_view,
)
from cnnlib.units import plural

if TYPE_CHECKING:
    from cnnlib.experiments.grid import Trial
    from cnnlib.runs.studies import Study


def show_experiments() -> None:
    """Show the experiment of the address, or the form of a new one; then the earlier ones."""
    experiment = st.query_params.get("experiment")
    if not experiment:
        live_experiments(None)
    if experiment:
        experiment_view(experiment)
        live_experiments(experiment)
        another_button("experiment", key="experiments_another")
    elif started := experiment_form():
        open_section("experiment", started)
        st.rerun()
    past_experiments(experiment)


_ACCURACY = "Validation accuracy"
_ACCURACY_HELP = (
    "Of the weights that each run ends with, those of the last epoch or of the one that early "
    "stopping restored; mean over seeds. A run that diverged counts as 0 %. Without a number where "
    "a seed has no result."
)


def experiment_view(study_id: str) -> None:
    """Show the state of an experiment, updated while it is live."""
    study_view(study_id, "experiment", KINDS, experiment_state, _show_experiment)


def live_experiments(current: str | None) -> None:
    """Show the progress of the other experiments that are live."""
    live_studies(KINDS, current, _describe_live, "experiments", "experiment")


def _describe_live(study: Study) -> tuple[str, float, str]:
    state = read_experiment(study)
    return study_title(study), _share(state), state.progress


def past_experiments(current: str | None) -> None:
    """Show links to the other experiments, the newest first."""
    past_studies(
        KINDS, current, "Earlier experiments", _describe_study, "experiments", "experiment"
    )


def _describe_study(study: Study) -> str:
    runs = plural(len(study.progress["runs"]), "run")
    return f"{study_title(study)}: {study.kind}, {runs}, {study.state}"


def _show_experiment(study_id: str, shown_state: str) -> None:
    store = run_store()
    advance_studies(store)
    study = studies.find(store, study_id, "experiment")
    state = read_experiment(study)
    if state.state != shown_state:
        st.rerun()
    found = effects(state.trials)
    st.header(escape_markdown(study_title(study)))
    _show_progress(state)
    if state.problem:
        show_warning(state.problem)
    if state.missing:
        show_warning(state.missing)
        resume_study_button(state, "experiment", key="experiments_resume")
    if state.best:
        answer = f"{effects_sentence(found)} {best_sentence(state)}".strip()
        st.info(escape_markdown(answer), icon=":material/trophy:")
    st.plotly_chart(effects_figure(found), key=f"experiments_effects_{study_id}")
    if note := effects_note(state, found):
        st.caption(escape_markdown(note))
    if state.kind == "search":
        scores = [trial.score for trial in state.trials if trial.score is not None]
        st.plotly_chart(
            best_figure(scores, best_so_far(state.trials)), key=f"experiments_best_{study_id}"
        )
    if (
        state.best
        and state.state != "live"
        and st.button(
            "Search finer around the best",
            icon=":material/zoom_in:",
            key="experiments_finer",
            help=_FINER_HELP,
        )
    ):
        with errors_shown():
            open_section("experiment", start_finer_search(store, state.id))
            st.rerun()
    _show_trials(state)
    stop_study_button(state, "experiment", key="experiments_stop")


_FINER_HELP = (
    "Starts a search between the values next to the best ones, with as many runs as this "
    "experiment has combinations."
)


def _show_progress(state: ExperimentState) -> None:
    left = f", about {duration(state.eta_seconds)} left" if state.eta_seconds is not None else ""
    prefix = "" if state.state == "live" else f"{state.state.capitalize()}: "
    st.progress(_share(state), f"{prefix}{state.progress}{left}")
    active = [
        run for trial in state.trials for run in trial.runs if run.is_live and run.state != "queued"
    ]
    if active:
        live_chart(active[:4], key="experiments_live")


def _share(state: ExperimentState) -> float:
    """Return the share of its runs that an experiment has trained."""
    return min(1.0, (state.measured + state.pruned) / state.asked) if state.asked else 0.0


def _describe_states(trial: Trial) -> str:
    """Write the states of a trial's runs: "Finished", or "2 finished, 1 lost"."""
    states = Counter(STATE_LABELS.get(state, state.capitalize()) for state in trial.states)
    if len(states) == 1:
        return next(iter(states))
    return ", ".join(f"{count} {state.lower()}" for state, count in states.items())


def _show_trials(state: ExperimentState) -> None:
    """Show a table of the trials with their scores, and the invalid ones with the reason."""
    import pandas as pd

    rows = [
        {
            "Settings": trial.title,
            _ACCURACY: None if trial.score is None else 100 * trial.score,
            "Status": _describe_states(trial),
        }
        for trial in sorted(state.trials, key=lambda trial: -(trial.score or 0.0))
    ]
    st.dataframe(
        pd.DataFrame(rows, columns=["Settings", _ACCURACY, "Status"]),
        hide_index=True,
        placeholder="–",
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
        st.button(
            "See these runs in the table",
            key="experiments_runs",
            type="tertiary",
            icon=":material/arrow_forward:",
            on_click=put_runs_in_address,
            args=(ids[:60],),
        )

"""Duels on the Results page: the form, the differences of two designs, a duel and its verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.data.catalogue import dataset_info
from cnnlib.errors import ViewerError
from cnnlib.experiments.duel import (
    DuelState,
    duel_progress,
    duel_score,
    duel_state,
    forecast_sentence,
    prediction_sentence,
    read_duel,
    recipes_sentence,
    start_duel,
)
from cnnlib.experiments.group_sequential import MOST_PAIRS
from cnnlib.experiments.study import advance_studies
from cnnlib.experiments.verdict_card import card_of
from cnnlib.figures.compare import duel_figure
from cnnlib.figures.theme import CATEGORICAL
from cnnlib.records.dataset import dataset_title
from cnnlib.report.document import CARD_STYLE, CHART_STYLE, TABLE_STYLE
from cnnlib.report.duel_page import class_differences, duel_page, write_card, write_classes
from cnnlib.runs import studies
from cnnlib.ui.common.components import document, live_chart
from cnnlib.ui.common.format import STATE_LABELS, escape_markdown
from cnnlib.ui.common.messages import errors_shown, show_warning
from cnnlib.ui.common.shared import folders, run_store
from cnnlib.ui.common.urls import INSPECT, TRAIN
from cnnlib.ui.common.viewer import picture_speeds
from cnnlib.ui.results.difference_view import difference_view
from cnnlib.ui.results.duel_form import Side, duel_form
from cnnlib.ui.results.sections import open_section
from cnnlib.ui.results.study_view import (
    another_button,
    live_studies,
    past_studies,
    resume_study_button,
    stop_study_button,
    study_view,
)
from cnnlib.units import percent, plural

if TYPE_CHECKING:
    from cnnlib.experiments.verdict_card import DuelRuns, VerdictCard
    from cnnlib.records.compare import Speed
    from cnnlib.records.run import Run
    from cnnlib.runs.studies import Study
    from cnnlib.ui.results.study_view import State


def show_duels() -> None:
    """Show the duel of the address, or the form of a new one; then the earlier ones."""
    duel = st.query_params.get("duel")
    if not duel:
        live_duels(None)
    if duel:
        duel_view(duel)
        live_duels(duel)
        another_button("duel", key="compare_another")
    elif sides := duel_form():
        with st.expander("What differs", icon=":material/difference:", expanded=True):
            difference_view(*sides)
    past_duels(duel)


def duel_view(duel_id: str) -> None:
    """Show the state of a duel, updated while it is live."""
    study_view(duel_id, "duel", ["duel"], duel_state, _duel, _lacks_speeds)


def live_duels(current: str | None) -> None:
    """Show the progress of the other duels that are live."""
    live_studies(["duel"], current, _describe_live, "compare", "duel")


def _describe_live(study: Study) -> tuple[str, float, str]:
    state = read_duel(study)
    return f"{state.duel.name_a} against {state.duel.name_b}", *duel_progress(state)


def past_duels(current: str | None) -> None:
    """Show links to the other duels that are over, the newest first."""
    past_studies(["duel"], current, "Earlier duels", _describe_past, "compare", "duel")


def _describe_past(study: Study) -> str:
    state = duel_state(run_store(), study.id)
    duel = state.duel
    title = f"{duel.name_a} against {duel.name_b} on {dataset_title(duel.a.dataset)}"
    return f"{title}: {state.sentence}"


def _duel(duel_id: str, shown_state: str) -> None:
    """Show a duel as a story: the verdict so far, its price, the runs, and what comes next."""
    store = run_store()
    advance_studies(store)
    study = studies.find(store, duel_id, "duel")
    state = read_duel(study)
    if state.state != shown_state:
        st.rerun()
    duel = state.duel
    st.header(escape_markdown(f"{duel.name_a} against {duel.name_b}"))
    if state.state == "live":
        _show_progress(state)
    counted = _show_card(study, state)
    if said := prediction_sentence(duel, state.verdict):
        st.caption(escape_markdown(said))
    if state.problem:
        show_warning(state.problem)
    with st.container(horizontal=True, vertical_alignment="center"):
        if state.can_resume:
            resume_study_button(state, "duel", key="compare_resume")
        _longer_duel_button(state)
        stop_study_button(state, "duel", key="compare_stop")
        if state.state != "live":
            if state.verdict.pairs:
                _download(state)
            _next_step(state)
    st.plotly_chart(
        duel_figure(state.verdict, duel.name_a, duel.name_b), key=f"compare_duel_{duel_id}"
    )
    if forecast := forecast_sentence(state.verdict):
        st.caption(forecast)
    _why(state, counted)
    _runs(state)


def _show_progress(state: DuelState) -> None:
    """Show the pair that is trained, of how many there are at most, and how far its runs are."""
    share, text = duel_progress(state)
    st.progress(share, escape_markdown(f"{text}. The duel ends as soon as the result is clear."))


_CARD_STYLE = """
--page: var(--st-background-color); --text: var(--st-text-color);
--muted: color-mix(in srgb, var(--st-text-color) 66%, var(--st-background-color));
--line: var(--st-border-color); --card: var(--st-secondary-background-color);
--font: var(--st-font); color: var(--text); font: 15px/1.5 var(--font);
"""
_SERIES = "".join(f".c{number}{{--c:{each}}}" for number, each in enumerate(CATEGORICAL))
_STYLE = (
    f"<style>.verdict{{{_CARD_STYLE}}} .verdict *{{box-sizing:border-box}} h2,p{{margin:.3rem 0}}"
    f"h2{{font-size:1.5rem;line-height:1.25}}{CHART_STYLE}{TABLE_STYLE}{CARD_STYLE}{_SERIES}</style>"
)


def _show_card(study: Study, state: DuelState) -> tuple[VerdictCard, DuelRuns]:
    """Show the verdict card, which the download has, too; return it with the runs behind it."""
    info = dataset_info(state.duel.a.dataset, folders())
    card, counted = card_of(study, state, info=info, speeds=_known_speeds(state))
    label = {"live": "So far", "done": "Verdict"}.get(state.state, "Ended before a verdict")
    html = f'{_STYLE}<div class="verdict">{write_card(card, label, level=2)}</div>'
    document(html, key=f"compare_card_{state.id}")
    return card, counted


def _why(state: DuelState, shown: tuple[VerdictCard, DuelRuns]) -> None:
    """Show what differs between the designs, and the difference in each class."""
    if state.state == "live":
        return
    card, counted = shown
    duel, info = state.duel, dataset_info(state.duel.a.dataset, folders())
    names = info.classes or tuple(str(number) for number in range(duel.a.spec.out_classes))
    classes = class_differences(run_store(), list(zip(*counted.runs, strict=True)), names)
    if classes:
        st.subheader("On which classes they differ", anchor=False)
        html = f'{_STYLE}<div class="verdict">{write_classes(card, classes)}</div>'
        document(html, key=f"compare_classes_{state.id}")
    with st.expander("What differs", icon=":material/difference:", expanded=True):
        st.caption(escape_markdown(recipes_sentence(duel)))
        difference_view(
            Side(duel.name_a, duel.a.spec, recipe=duel.a.recipe),
            Side(duel.name_b, duel.b.spec, recipe=duel.b.recipe),
        )


def _lacks_speeds(state: State) -> bool:
    """Whether the price in milliseconds is still being measured."""
    return isinstance(state, DuelState) and not _known_speeds(state)


def _known_speeds(state: DuelState) -> tuple[Speed, ...]:
    """Return the measured speeds of a duel that is over; none while the viewer starts."""
    if state.state == "live":
        return ()
    try:
        return picture_speeds((state.duel.a.spec, state.duel.b.spec))
    except ViewerError:
        return ()


def _download(state: DuelState) -> None:
    """Show the download of the duel as one page, for a teacher or a manager."""
    store, speeds = run_store(), _known_speeds(state)  # here: the page is written outside the app
    st.download_button(
        "Download the verdict" if state.verdict.is_over else "Download the result so far",
        lambda: duel_page(store, state.id, speeds),
        f"{state.duel.name_a} against {state.duel.name_b}.html",
        "text/html",
        icon=":material/download:",
        key="compare_download",
        on_click="ignore",
        help="One HTML file with designs, curves, classes, pictures and recipe; print it as a PDF.",
    )


def _next_step(state: DuelState) -> None:
    """Show the one step that follows: to see why, inside the better network."""
    better = 0 if state.verdict.outcome == "a" else 1
    runs = [pair[better] for pair in state.pairs if pair[better] is not None]
    finished = [run for run in runs if run is not None and run.state == "finished"]
    if finished:
        name = (state.duel.name_a, state.duel.name_b)[better]
        st.page_link(
            INSPECT,
            label=f"Next: look inside {escape_markdown(name)}",
            icon=":material/arrow_forward:",
            query_params={"run": finished[0].id},
        )


def _longer_duel_button(state: DuelState) -> None:
    """Show a button that starts a longer duel, if this one ended undecided."""
    verdict, duel = state.verdict, state.duel
    if verdict.outcome != "untold" or not verdict.more_pairs:
        return
    pairs = min(MOST_PAIRS, duel.most_pairs + verdict.more_pairs)
    if pairs > duel.most_pairs and st.button(
        f"Start a longer duel: {plural(pairs, 'pair')}",
        icon=":material/play_arrow:",
        key="compare_longer",
        help="A new duel of the same designs. Its limit of pairs is fixed before it starts, too.",
    ):
        with errors_shown():
            open_section("duel", start_duel(run_store(), replace(duel, most_pairs=pairs)))
            st.rerun()


def _runs(state: DuelState) -> None:
    """Show the live curves of the active runs, and a table of the pairs."""
    import pandas as pd

    live = [run for pair in state.pairs for run in pair if run and run.is_live]
    active = [run for run in live if run.state != "queued"]
    if active:
        live_chart(active[:4], key="compare_live")
    duel = state.duel
    rows = [
        {
            "Seed": number + duel.a.seed,
            f"A: {duel.name_a}": _describe_result(run_a, duel.on),
            f"B: {duel.name_b}": _describe_result(run_b, duel.on),
        }
        | (
            {"Counted": "yes" if number < state.verdict.pairs else "no"}
            if state.not_counted
            else {}
        )
        for number, (run_a, run_b) in enumerate(state.pairs)
    ]
    title = f"{plural(len(rows) - state.not_counted, 'pair')}: accuracy on the {duel.on} split"
    if state.not_counted:
        more = plural(state.not_counted, "more pair")
        title += f"; {more} in training when the verdict fell, not counted"
    with st.expander(title):
        st.dataframe(pd.DataFrame(rows), hide_index=True, key=f"compare_pairs_{state.id}")
        ids = [run.id for pair in state.pairs for run in pair if run]
        st.page_link(TRAIN, label="Open all runs in Train", query_params={"run": ids})


def _describe_result(run: Run | None, on: str) -> str:
    """Format the accuracy of a finished run, or the state of any other."""
    if run is None:
        return "–"
    return percent(duel_score(run, on)) if run.state == "finished" else STATE_LABELS[run.state]

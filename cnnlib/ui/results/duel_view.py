"""Duels on the Results page: the form, the differences of two designs, a duel and its verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.compare.differences import design_difference
from cnnlib.experiments.duel import DuelState, duel_score, duel_state, forecast_sentence, start_duel
from cnnlib.experiments.group_sequential import MOST_PAIRS
from cnnlib.experiments.study import advance_studies
from cnnlib.figures.compare import duel_figure
from cnnlib.figures.labels import kind_label, settings_label, shape_text
from cnnlib.ui.common.components import live_chart
from cnnlib.ui.common.format import STATE_LABELS, escape_markdown, pixels
from cnnlib.ui.common.messages import errors_shown, show_warning
from cnnlib.ui.common.shared import run_store
from cnnlib.ui.common.urls import TRAIN
from cnnlib.ui.results.duel_form import duel_form
from cnnlib.ui.results.sections import open_section
from cnnlib.ui.results.setting_labels import setting_label
from cnnlib.ui.results.study_view import (
    past_studies,
    resume_study_button,
    stop_study_button,
    study_view,
)
from cnnlib.units import format_size, percent, plural, short_count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cnnlib.design.layers import Leaf
    from cnnlib.records.compare import LayerChange
    from cnnlib.records.run import Run
    from cnnlib.ui.results.duel_form import Side


def show_duels() -> None:
    """Show the duel of the address, or the form of a new one; then the earlier ones."""
    duel = st.query_params.get("duel")
    if duel:
        duel_view(duel)
        st.button(
            "Another duel",
            icon=":material/add:",
            key="compare_another",
            on_click=open_section,
            args=("duel",),
        )
    elif sides := duel_form():
        with st.expander("What differs", icon=":material/difference:", expanded=True):
            difference_view(*sides)
    past_duels(duel)


_COSTS: dict[str, tuple[str, Callable[[float], str], str]] = {
    "params": ("Parameters", short_count, "Trainable weights and biases."),
    "macs": ("MACs per picture", short_count, "Multiply-accumulate operations for one picture."),
    "training_bytes": (
        "Memory of a training step",
        format_size,
        "Estimate for a batch of 128 pictures with SGD.",
    ),
    "receptive_field": (
        "Receptive field",
        pixels,
        "Side of the square of input pixels that one value of the last feature map depends on. "
        "Where it is larger than the picture, it is the size on a picture without edges.",
    ),
}
_MOST_ROWS = 20  # a longer table scrolls
_SCROLLED_PIXELS = 720


def difference_view(a: Side, b: Side) -> None:
    """Show the changes from A to B: costs, settings and layers."""
    difference = design_difference(a.spec, b.spec)
    with st.container(horizontal=True):
        for name, (before, after) in difference.costs.items():
            title, format_cost, help = _COSTS[name]
            ratio = _describe_ratio(after / before) if before else ""
            st.metric(
                title,
                f"{format_cost(before)} → {format_cost(after)}",
                ratio if after != before else "same as A",
                delta_color="off",
                delta_arrow="off",
                help=help,
            )
    if not difference.settings:
        st.caption("The two designs have the same settings.")
        return
    settings = ", ".join(
        f"{setting_label(name)}: {old} → {new}" for name, (old, new) in difference.settings.items()
    )
    st.caption(escape_markdown(f"Settings that differ: {settings}."))
    _layer_table(a, b, difference.layers)


def _describe_ratio(ratio: float) -> str:
    """Format ``7.1x A``, ``1.05x A`` or ``0.013x A``."""
    if ratio < 0.1:
        return f"{ratio:.2g}x A"
    return f"{ratio:.2f}x A" if ratio < 2 else f"{ratio:,.1f}x A"


def _layer_table(a: Side, b: Side, changes: Sequence[LayerChange]) -> None:
    """Show the layers of both designs side by side, in a table that wraps long names."""
    import pandas as pd

    show_equal = st.toggle("Show equal layers", key="compare_equal")
    rows = [
        [
            _CHANGE_LABELS[change.what],
            _describe_layer(change.before),
            _describe_layer(change.after),
            _signed(change.params),
            _signed(change.macs),
        ]
        for change in changes
        if show_equal or change.what != "same"
    ]
    headings = [
        "Change",
        f"A: {escape_markdown(a.name)}",
        f"B: {escape_markdown(b.name)}",
        "Parameters",
        "MACs",
    ]
    st.caption("Parameters and MACs: B minus A.")
    st.table(
        pd.DataFrame(rows, columns=headings),
        border="horizontal",
        height=_SCROLLED_PIXELS if len(rows) > _MOST_ROWS else "content",
        alt="Layers of both designs",
    )


def _signed(change: int) -> str:
    return f"{change:+,}".replace("-", "−") if change else "0"


def duel_view(duel_id: str) -> None:
    """Show the state of a duel, updated while it is live."""
    study_view(duel_id, "duel", ["duel"], duel_state, _duel)


def past_duels(current: str | None) -> None:
    """Show links to the other duels, the newest first."""
    store = run_store()
    past_studies(
        ["duel"],
        current,
        "Earlier duels",
        lambda study: duel_state(store, study.id).sentence,
        "compare",
        "duel",
    )


def _duel(duel_id: str, shown_state: str) -> None:
    store = run_store()
    advance_studies(store)
    state = duel_state(store, duel_id)
    if state.state != shown_state:
        st.rerun()
    icon = {"live": ":material/hourglass_top:", "done": ":material/balance:"}
    st.info(escape_markdown(state.sentence), icon=icon.get(state.state, ":material/stop_circle:"))
    if state.problem:
        show_warning(state.problem)
    if state.can_resume:
        resume_study_button(state, "duel", key="compare_resume")
    duel = state.duel
    st.plotly_chart(
        duel_figure(state.verdict, duel.name_a, duel.name_b), key=f"compare_duel_{duel_id}"
    )
    st.caption(forecast_sentence(state.verdict))
    _runs(state)
    _longer_duel_button(state)
    stop_study_button(state, "duel", key="compare_stop")


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
    with st.expander(f"{plural(len(rows), 'pair')}: accuracy on the {duel.on} split"):
        st.dataframe(pd.DataFrame(rows), hide_index=True, key=f"compare_pairs_{state.id}")
        ids = [run.id for pair in state.pairs for run in pair if run]
        st.page_link(TRAIN, label="Open all runs in Train", query_params={"run": ids})


def _describe_result(run: Run | None, on: str) -> str:
    """Format the accuracy of a finished run, or the state of any other."""
    if run is None:
        return "–"
    return percent(duel_score(run, on)) if run.state == "finished" else STATE_LABELS[run.state]


_CHANGE_LABELS = {"same": "same", "changed": "changed", "added": "added", "removed": "removed"}


def _describe_layer(layer: Leaf | None) -> str:
    if layer is None:
        return ""
    settings = settings_label(layer)
    return (
        f"{kind_label(layer)}{', ' + settings if settings else ''} → {shape_text(layer.out_shape)}"
    )

"""What a comparison found: the difference of two designs, and how a duel stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.compare.differences import design_difference
from cnnlib.errors import CnnlibError
from cnnlib.experiments.duel import DuelState, duel_state
from cnnlib.experiments.study import advance_studies, find_studies, stop_study
from cnnlib.figures.compare import duel_figure
from cnnlib.figures.labels import kind_label, settings_label, shape_text
from cnnlib.ui.common.format import escape_markdown, pixels
from cnnlib.ui.common.live_chart import live_chart
from cnnlib.ui.common.messages import fragment, show_error, show_warning
from cnnlib.ui.common.permissions import owner_note
from cnnlib.ui.common.shared import run_store
from cnnlib.ui.common.urls import TRAIN
from cnnlib.units import format_size, percent, short_count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cnnlib.design.layers import Leaf
    from cnnlib.records.compare import LayerChange
    from cnnlib.ui.results.duel_form import Side

REFRESH_SECONDS = 2.0
_COSTS: dict[str, tuple[str, Callable[[float], str]]] = {
    "params": ("Parameters", short_count),
    "macs": ("MACs for one image", short_count),
    "training_bytes": ("Memory of a training step (128 images)", format_size),
    "receptive_field": ("Receptive field", pixels),
}
_MOST_ROWS = 20  # at full height
_SCROLLED_PIXELS = 720


def difference_view(a: Side, b: Side) -> None:
    """What changes from A to B, layer by layer, and what it costs."""
    found = design_difference(a.spec, b.spec)
    with st.container(horizontal=True):
        for name, (before, after) in found.costs.items():
            title, written = _COSTS[name]
            ratio = f"{after / before:.2f} times A" if before else ""
            st.metric(
                title,
                f"{written(before)} → {written(after)}",
                ratio if after != before else "the same",
                delta_color="off",
                delta_arrow="off",
            )
    if not found.settings:
        st.caption("The two designs are the same.")
        return
    settings = ", ".join(f"{name}: {one} → {two}" for name, (one, two) in found.settings.items())
    st.caption(escape_markdown(f"Settings that differ: {settings}."))
    _layers(a, b, found.layers)


def _layers(a: Side, b: Side, changes: Sequence[LayerChange]) -> None:
    """The layers of both designs beside each other; names wrap where there is little room."""
    import pandas as pd

    everything = st.toggle("Equal layers too", key="compare_equal")
    lines = [
        [
            _MARKS[change.what],
            _layer(change.before),
            _layer(change.after),
            _signed(change.params),
            _signed(change.macs),
        ]
        for change in changes
        if everything or change.what != "same"
    ]
    headings = [
        "Change",
        f"A: {escape_markdown(a.name)}",
        f"B: {escape_markdown(b.name)}",
        "Parameters",
        "MACs",
    ]
    st.caption("Parameters and MACs are those of B minus those of A.")
    st.table(
        pd.DataFrame(lines, columns=headings),
        border="horizontal",
        height=_SCROLLED_PIXELS if len(lines) > _MOST_ROWS else "content",
        alt="Layers of both designs",
    )


def _signed(change: int) -> str:
    return f"{change:+,}".replace("-", "−") if change else "0"


def duel_view(duel_id: str) -> None:
    """How a duel stands, kept up to date while it goes on."""
    try:
        state = duel_state(run_store(), duel_id)
    except CnnlibError as error:
        show_error(error)
        return
    fragment(_duel, run_every=REFRESH_SECONDS if state.state == "live" else None)(
        duel_id, state.state
    )


def past_duels(current: str | None) -> None:
    """Links to duels, the newest first."""
    plans = [plan for plan in find_studies(run_store(), ["duel"]) if plan.id != current]
    if not plans:
        return
    st.header("Duels")
    for plan in plans[:12]:
        sentence = duel_state(run_store(), plan.id).sentence
        icon = ":material/arrow_forward:"
        if st.button(
            escape_markdown(sentence), key=f"compare_past_{plan.id}", type="tertiary", icon=icon
        ):
            st.query_params["duel"] = plan.id
            st.rerun()


def _duel(duel_id: str, shown_state: str) -> None:
    store = run_store()
    advance_studies(store)
    state = duel_state(store, duel_id)
    if state.state != shown_state:
        st.rerun()
    icon = {"live": ":material/hourglass_top:", "done": ":material/balance:"}
    st.info(escape_markdown(state.sentence), icon=icon.get(state.state, ":material/stop_circle:"))
    if state.trouble:
        show_warning(state.trouble)
    duel = state.duel
    st.plotly_chart(
        duel_figure(state.verdict, duel.name_a, duel.name_b), key=f"compare_duel_{duel_id}"
    )
    _runs(state)
    why_not = owner_note(state.owner, "duel")
    if state.state == "live" and st.button(
        "Stop the duel",
        icon=":material/stop_circle:",
        key="compare_stop",
        help=why_not or None,
        disabled=bool(why_not),
    ):
        stop_study(store, duel_id)
        st.rerun()


def _runs(state: DuelState) -> None:
    """What runs now, live; and the pairs so far."""
    import pandas as pd

    live = [run for pair in state.pairs for run in pair if run and run.is_live]
    at_work = [run for run in live if run.state != "queued"]
    if at_work:
        live_chart(at_work[:4], key="compare_live")
    number = "last_val_accuracy" if state.duel.on == "validation" else "test_accuracy"
    lines = [
        {
            "Seed": place + state.duel.a.seed,
            f"A: {state.duel.name_a}": percent(one.summary.get(number)) if one else "–",
            f"B: {state.duel.name_b}": percent(two.summary.get(number)) if two else "–",
        }
        for place, (one, two) in enumerate(state.pairs)
    ]
    with st.expander(f"{len(lines)} pairs, decided by {state.duel.on}"):
        st.dataframe(pd.DataFrame(lines), hide_index=True, key=f"compare_pairs_{state.id}")
        ids = [run.id for pair in state.pairs for run in pair if run]
        st.page_link(TRAIN, label="Open all runs", query_params={"run": ids})


_MARKS = {"same": "same", "changed": "changed", "added": "added", "removed": "removed"}


def _layer(layer: Leaf | None) -> str:
    if layer is None:
        return ""
    settings = settings_label(layer)
    return (
        f"{kind_label(layer)}{', ' + settings if settings else ''} → {shape_text(layer.out_shape)}"
    )

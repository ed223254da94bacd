"""What a comparison found: the difference of two designs, and how a duel stands."""

from __future__ import annotations

import streamlit as st

from cnnlib.compare.differences import design_difference
from cnnlib.compare.duel_runs import DuelState, duel_state
from cnnlib.compare.plans import advance, find_plans, stop_plan
from cnnlib.design.layers import Leaf
from cnnlib.errors import CnnlibError
from cnnlib.figures.compare import duel_figure
from cnnlib.figures.layer_words import kind_words, setting_words, shape_words
from cnnlib.ui.addresses import TRAIN
from cnnlib.ui.compare_form import Side
from cnnlib.ui.live_chart import live_chart
from cnnlib.ui.resources import run_store
from cnnlib.ui.rights import whose
from cnnlib.ui.words import percent, short_count

REFRESH_SECONDS = 2.0
_COSTS = {
    "params": "Parameters",
    "macs": "MACs for one image",
    "training_bytes": "Bytes of a training step (128 images)",
    "receptive_field": "Receptive field (pixels)",
}


def difference_view(a: Side, b: Side) -> None:
    """What changes from A to B, layer by layer, and what it costs."""
    import pandas as pd

    found = design_difference(a.spec, b.spec)
    with st.container(horizontal=True):
        for name, (before, after) in found.costs.items():
            ratio = f"{after / before:.2f} times A" if before else ""
            st.metric(
                _COSTS[name],
                f"{short_count(before)} → {short_count(after)}",
                ratio if after != before else "the same",
                delta_color="off",
                delta_arrow="off",
            )
    if not found.settings:
        st.caption("The two designs are the same.")
        return
    settings = ", ".join(f"{name}: {one} → {two}" for name, (one, two) in found.settings.items())
    st.caption(f"Settings that differ: {settings}.")
    lines = [
        {
            "": _MARKS[change.what],
            a.name: _layer(change.before),
            b.name: _layer(change.after),
            "Parameters": change.params,
            "MACs": change.macs,
        }
        for change in found.layers
    ]
    if not st.toggle("Equal layers too", key="compare_equal"):
        lines = [line for line in lines if line[""]]
    st.dataframe(
        pd.DataFrame(lines, columns=["", a.name, b.name, "Parameters", "MACs"]),
        hide_index=True,
        key="compare_layers",
        column_config={
            name: st.column_config.NumberColumn(format="localized", help="B minus A")
            for name in ("Parameters", "MACs")
        },
    )


def duel_view(duel_id: str) -> None:
    """How a duel stands, kept up to date while it goes on."""
    try:
        state = duel_state(run_store(), duel_id)
    except CnnlibError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.fragment(_duel, run_every=REFRESH_SECONDS if state.state == "live" else None)(
        duel_id, state.state
    )


def past_duels(current: str | None) -> None:
    """Links to duels, the newest first."""
    plans = [plan for plan in find_plans(run_store(), ["duel"]) if plan.id != current]
    if not plans:
        return
    st.subheader("Duels")
    for plan in plans[:12]:
        sentence = duel_state(run_store(), plan.id).sentence
        if st.button(sentence, key=f"compare_past_{plan.id}", type="tertiary"):
            st.query_params["duel"] = plan.id
            st.rerun()


def _duel(duel_id: str, shown_state: str) -> None:
    store = run_store()
    advance(store)
    state = duel_state(store, duel_id)
    if state.state != shown_state:
        st.rerun()
    icon = {"live": ":material/hourglass_top:", "done": ":material/balance:"}
    st.info(state.sentence, icon=icon.get(state.state, ":material/stop_circle:"))
    if state.trouble:
        st.warning(state.trouble, icon=":material/warning:")
    duel = state.duel
    st.plotly_chart(
        duel_figure(state.verdict, duel.name_a, duel.name_b), key=f"compare_duel_{duel_id}"
    )
    _runs(state)
    why_not = whose(state.owner, "duel")
    if state.state == "live" and st.button(
        "Stop the duel",
        icon=":material/stop_circle:",
        key="compare_stop",
        help=why_not or None,
        disabled=bool(why_not),
    ):
        stop_plan(store, duel_id)
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
            state.duel.name_a: percent(one.summary.get(number)) if one else "–",
            state.duel.name_b: percent(two.summary.get(number)) if two else "–",
        }
        for place, (one, two) in enumerate(state.pairs)
    ]
    with st.expander(f"{len(lines)} pairs, decided by {state.duel.on}"):
        st.dataframe(pd.DataFrame(lines), hide_index=True, key=f"compare_pairs_{state.id}")
        ids = [run.id for pair in state.pairs for run in pair if run]
        st.page_link(TRAIN, label="Open all runs", query_params={"run": ids})


_MARKS = {"same": "", "changed": "changed", "added": "added", "removed": "removed"}


def _layer(layer: Leaf | None) -> str:
    if layer is None:
        return ""
    settings = setting_words(layer)
    return (
        f"{kind_words(layer)}{', ' + settings if settings else ''} → {shape_words(layer.out_shape)}"
    )

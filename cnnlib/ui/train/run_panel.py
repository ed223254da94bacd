"""What Train shows of runs that were asked for: their curves, and the buttons that steer them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import streamlit as st

from cnnlib.compare.seeds import wilson
from cnnlib.design.link import encode
from cnnlib.records.events import Command, CommandKind, SplitResult
from cnnlib.records.run import RESUMABLE_STATES, Origin, Run, RunRequest
from cnnlib.ui.common.format import count, describe_recipe, escape_markdown
from cnnlib.ui.common.live_chart import live_chart
from cnnlib.ui.common.messages import errors_shown, show_warning
from cnnlib.ui.common.permissions import attempt, own_runs, owner_note
from cnnlib.ui.common.shared import run_store, worker_pool
from cnnlib.ui.common.submit import submit
from cnnlib.ui.common.urls import DRAW, INSPECT, RESULTS, TRAIN
from cnnlib.ui.train.live_view import live_section
from cnnlib.units import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEARNING_RATES = tuple(float(f"{digit}e{power}") for power in range(-5, 1) for digit in (1, 2, 5))


def run_panel(runs: Sequence[Run]) -> None:
    """Title, buttons and live curves of one run, or of several together."""
    st.title(escape_markdown(runs[0].title) if len(runs) == 1 else f"{len(runs)} runs")
    st.caption(describe(runs[0]))
    with st.container(horizontal=True, vertical_alignment="center", key="train_controls"):
        if any(run.is_live for run in runs):
            _steering(runs)
        else:
            _next_steps(runs)
        _ways_on(runs)
    if worker_pool().trouble and any(run.state == "queued" for run in runs):
        show_warning(worker_pool().trouble)
    live_chart(runs, key="train_live", outcomes={run.id: _outcome_of(run) for run in runs})
    live_section(runs)


def describe(run: Run) -> str:
    """Size of the network and recipe, in one line."""
    cost, recipe = run.plan_cost, run.request.recipe
    size = f"{count(cost.get('params'))} parameters, {count(cost.get('macs'))} MACs per image"
    return f"{size}. {describe_recipe(recipe)}."


def outcome(result: SplitResult | None) -> str:
    """What was measured on the test split, with how sure it is; "" where nothing was."""
    if result is None or result.count == 0:
        return ""
    interval = wilson(round(result.accuracy * result.count), result.count)
    return (
        f"{percent(result.accuracy)} of {count(result.count)} test pictures right "
        f"(95 % Wilson interval {100 * interval.low:.2f} to {percent(interval.high)})"
    )


def _outcome_of(run: Run) -> str:
    return "" if run.is_live else outcome(run_store().result(run.id))


def _steering(runs: Sequence[Run]) -> None:
    """Buttons for runs of which at least one is not over; each acts on all that are one's own."""
    live = [run for run in runs if run.is_live]
    live = own_runs(live) or live
    if all(run.state == "paused" for run in live):
        _order_button("Resume", "resume", ":material/play_arrow:", live, type="primary")
    else:
        _order_button("Pause", "pause", ":material/pause:", live)
    _order_button("One step", "step", ":material/skip_next:", live)
    _order_button("Stop", "stop", ":material/stop:", live)
    if len(live) == 1:
        _learning_rate(live[0])


def _order_button(
    label: str,
    kind: CommandKind,
    icon: str,
    runs: Sequence[Run],
    type: Literal["primary", "secondary"] = "secondary",
) -> None:
    why_not = owner_note(runs[0].owner, "run")
    help = {
        "pause": "Stop after this batch, and wait.",
        "resume": "Go on from where it is.",
        "step": "Train on one batch, then wait.",
        "stop": "End now. What was learned is kept and measured.",
    }[kind]
    st.button(
        label,
        icon=icon,
        key=f"train_{kind}",
        help=why_not or help,
        disabled=bool(why_not),
        type=type,
        on_click=attempt,
        args=(_give_order, [run.id for run in runs], Command(kind)),
    )


def _give_order(run_ids: Sequence[str], order: Command) -> None:
    for run_id in run_ids:
        run_store().submit_command(run_id, order)


def _learning_rate(run: Run) -> None:
    """A slider over powers of ten; moving it is marked on the curves."""
    now = _current_lr(run)
    key = f"train_lr_{run.id}"
    with st.popover(f"Learning rate {now:g}", icon=":material/tune:"):
        st.select_slider(
            "Learning rate",
            sorted({*_LEARNING_RATES, now}),
            value=now,
            key=key,
            format_func=lambda rate: f"{rate:g}",
            width=280,
            disabled=bool(owner_note(run.owner, "run")),
            help=owner_note(run.owner, "run") or "With a schedule, its highest value.",
            on_change=lambda: attempt(
                _give_order, [run.id], Command("set", "lr", st.session_state[key])
            ),
        )


def _current_lr(run: Run) -> float:
    changes = [one for one in run_store().interventions(run.id) if one.setting == "lr"]
    value = changes[-1].value if changes else None
    return run.request.recipe.lr if value is None else value


def _next_steps(runs: Sequence[Run]) -> None:
    """Buttons for runs that are all over."""
    resumable = [run for run in runs if run.state in RESUMABLE_STATES]
    resumable = own_runs(resumable) or resumable
    if resumable:
        why_not = owner_note(resumable[0].owner, "run")
        st.button(
            "Continue",
            icon=":material/play_arrow:",
            key="train_continue",
            type="primary",
            help=why_not or "Go on from the last checkpoint.",
            disabled=bool(why_not),
            on_click=attempt,
            args=(_resume, [run.id for run in resumable]),
        )


def _ways_on(runs: Sequence[Run]) -> None:
    """Where people go from here, whatever the runs do."""
    first, is_over = runs[0], not any(run.is_live for run in runs)
    if st.button("Look inside", icon=":material/search:", key="train_inspect"):
        st.switch_page(INSPECT, query_params={"run": first.id})
    can_draw = is_over and first.request.spec.in_size[0] == 1
    if can_draw and st.button("Draw for it", icon=":material/draw:", key="train_draw"):
        st.switch_page(DRAW, query_params={"run": [run.id for run in runs]})
    if is_over and len(runs) == 1:
        fork_popover(first)
    if st.button("See in results", icon=":material/table_rows:", key="train_results"):
        st.switch_page(RESULTS, query_params={"run": [run.id for run in runs]})
    if st.button("Train another", icon=":material/add:", key="train_another"):
        st.switch_page(TRAIN, query_params={"design": encode(first.request.spec)})


def _resume(run_ids: Sequence[str]) -> None:
    for run_id in run_ids:
        run_store().resume(run_id)


_HELP = "A new run that goes on from a saved step of this one, with another rate or more epochs."


def fork_popover(run: Run) -> None:
    """The form of a fork in a popover; nothing where the run kept no checkpoint."""
    steps = [each.step for each in run_store().saved_weights(run.id) if each.what == "checkpoint"]
    if not steps:
        return
    with st.popover("Fork", icon=":material/fork_right:", help=_HELP):
        step = st.selectbox(
            "From step",
            sorted(steps, reverse=True),
            format_func=lambda step: f"{step:,}",
            key=f"train_fork_step_{run.id}",
        )
        more = st.number_input("Epochs more", 1, 1000, 1, key=f"train_fork_epochs_{run.id}")
        lr = st.number_input(
            "Learning rate",
            min_value=0.0,
            value=run.request.recipe.lr,
            step=0.001,
            format="%g",
            key=f"train_fork_lr_{run.id}",
            help="With a schedule, its highest value; the schedule goes over the whole length.",
        )
        if st.button("Train the fork", type="primary", key="train_fork", width="stretch"):
            with errors_shown():
                started = submit(fork_request(run, step, _epochs_done(run, step) + more, lr))
                st.switch_page(TRAIN, query_params={"run": [*started, run.id]})  # on one chart


def fork_request(run: Run, step: int, epochs: int, lr: float) -> RunRequest:
    """What asks for the fork.

    Args:
        epochs: In all, those before the step included.
    """
    recipe = replace(run.request.recipe, epochs=epochs, lr=lr, max_batches=None)
    origin = Origin(run.id, step)
    return replace(run.request, recipe=recipe, origin=origin, name="", group="")


def _epochs_done(run: Run, step: int) -> int:
    return sum(epoch.step <= step for epoch in run_store().epochs(run.id, confusions=False))

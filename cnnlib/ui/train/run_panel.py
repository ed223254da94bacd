"""The panel of submitted runs: their curves and the buttons that control them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from cnnlib.compare.seeds import wilson
from cnnlib.design.link import encode
from cnnlib.diagnosis.lower_rate import lower_rate
from cnnlib.records.events import Command, CommandKind, SplitResult
from cnnlib.records.recipe import Recipe
from cnnlib.records.recipe_link import encode_recipe
from cnnlib.records.run import RESUMABLE_STATES, Run
from cnnlib.runs.saved_steps import epochs_until, fork_request, recipe_at
from cnnlib.train.submit import submit_runs
from cnnlib.ui.common.components import live_chart
from cnnlib.ui.common.format import count, describe_recipe, escape_markdown
from cnnlib.ui.common.messages import errors_shown, show_warning
from cnnlib.ui.common.permissions import attempt, own_button, own_runs, owner_note
from cnnlib.ui.common.shared import place, run_store
from cnnlib.ui.common.urls import DRAW, INSPECT, RESULTS, TRAIN
from cnnlib.ui.common.whole_number import whole_number_input
from cnnlib.ui.train.live_view import live_section
from cnnlib.units import percent

if TYPE_CHECKING:
    from pathlib import Path

_LEARNING_RATES = tuple(float(f"{digit}e{power}") for power in range(-5, 1) for digit in (1, 2, 5))


def run_panel(runs: Sequence[Run]) -> None:
    """Show the title, buttons and live curves of one run, or of several together."""
    st.title(escape_markdown(runs[0].title) if len(runs) == 1 else f"{len(runs)} runs")
    done = runs[0].epochs_text if len(runs) == 1 else ""
    descriptions = {describe_run(run, done) for run in runs}
    if len(descriptions) == 1:  # runs that differ: the settings of one would stand for all
        st.caption(descriptions.pop())
    with st.container(horizontal=True, vertical_alignment="center", key="train_controls"):
        if any(run.is_live for run in runs):
            _control_buttons(runs)
        else:
            _continue_button(runs)
        _links(runs)
    if any(run.state == "queued" for run in runs) and (trouble := place().report().trouble):
        show_warning(trouble)
    live_chart(runs, key="train_live", outcomes={run.id: _describe_outcome(run) for run in runs})
    live_section(runs)


def describe_run(run: Run, epochs: str = "") -> str:
    """Describe the network's size and the recipe, in one line.

    Args:
        epochs: Those that it was trained for; "" are the recipe's.
    """
    cost, recipe = run.plan_cost, run.request.recipe
    size = f"{count(cost.get('params'))} parameters, {count(cost.get('macs'))} MACs per picture"
    what = "Recipe before the changes by hand" if run.intervened else "Recipe"
    return f"{size}. {what}: {describe_recipe(recipe, epochs)}."


def describe_test_result(result: SplitResult | None) -> str:
    """Describe the test accuracy with its confidence interval; "" if it was not measured."""
    if result is None or result.count == 0:
        return ""
    interval = wilson(round(result.accuracy * result.count), result.count)
    return (
        f"{percent(result.accuracy)} of {count(result.count)} test pictures correct "
        f"(95 % interval {100 * interval.low:.2f} to {percent(interval.high)})"
    )


def _describe_outcome(run: Run) -> str:
    return "" if run.is_live else describe_test_result(run_store().result(run.id))


def _control_buttons(runs: Sequence[Run]) -> None:
    """Show buttons for live runs; each button acts on all live runs that the user owns."""
    live = [run for run in runs if run.is_live]
    live = own_runs(live) or live
    if all(run.state == "paused" for run in live):
        _command_button("Resume", "resume", ":material/play_arrow:", live, type="primary")
    else:
        _command_button("Pause", "pause", ":material/pause:", live)
    _command_button("One step", "step", ":material/skip_next:", live)
    _command_button("Stop", "stop", ":material/stop:", live)
    if len(live) == 1:
        _learning_rate(live[0])


def _command_button(
    label: str,
    kind: CommandKind,
    icon: str,
    runs: Sequence[Run],
    type: Literal["primary", "secondary"] = "secondary",
) -> None:
    help = {
        "pause": "Pause after this batch.",
        "resume": "Continue from the present step.",
        "step": "Train on one batch, then pause.",
        "stop": "End the run now. Its weights are saved and tested.",
    }[kind]
    own_button(
        label,
        owner_note(runs[0].owner, "run"),
        icon=icon,
        key=f"train_{kind}",
        help=help,
        type=type,
        action=(_submit_command, [run.id for run in runs], Command(kind)),
    )


def _submit_command(run_ids: Sequence[str], command: Command) -> None:
    for run_id in run_ids:
        run_store().submit_command(run_id, command)


def _lr_label(recipe: Recipe) -> str:
    """Name the learning rate of a recipe: with a schedule, it is the highest value."""
    return "Learning rate" if recipe.schedule == "constant" else "Peak learning rate"


_LR_HELP = "Used from the next batch on. With a schedule, this is its highest value."


def _learning_rate(run: Run) -> None:
    """Show a slider over learning rates; each change is marked on the curves."""
    changes = [each for each in run_store().interventions(run.id) if each.setting == "lr"]
    value = changes[-1].value if changes else None
    now = run.request.recipe.lr if value is None else value
    key = f"train_lr_{run.id}_{len(changes)}"  # a change starts a new slider, at the new rate
    label = _lr_label(run.request.recipe)
    with st.popover(f"{label} {now:g}", icon=":material/tune:", key="train_lr"):
        st.select_slider(
            label,
            sorted({*_LEARNING_RATES, now}),
            value=now,
            key=key,
            format_func=lambda rate: f"{rate:g}",
            width=280,
            disabled=bool(owner_note(run.owner, "run")),
            help=owner_note(run.owner, "run") or _LR_HELP,
            on_change=lambda: attempt(
                _submit_command, [run.id], Command("set", "lr", st.session_state[key])
            ),
        )


def _continue_button(runs: Sequence[Run]) -> None:
    """Show a button that resumes ended runs, if any of them can be resumed.

    A run that diverged would diverge again: alone, it gets a button that forks it instead.
    """
    if len(runs) == 1 and runs[0].state == "diverged":
        _lower_rate_button(runs[0])
    resumable = [r for r in runs if r.state in RESUMABLE_STATES and r.state != "diverged"]
    resumable = own_runs(resumable) or resumable
    if resumable:
        own_button(
            "Continue",
            owner_note(resumable[0].owner, "run"),
            icon=":material/play_arrow:",
            key="train_continue",
            type="primary",
            help="Continue from the last checkpoint.",
            action=(_resume, [run.id for run in resumable]),
        )


def _lower_rate_button(run: Run) -> None:
    """Show a button that forks a run that diverged, with the advised learning rate."""
    store = run_store()
    advised = lower_rate(store, run)
    if advised is None:
        return
    label = f"Continue with {_lr_label(run.request.recipe).lower()} {advised.lr:g}"
    help = (
        f"A new run from step {advised.step:,} of this one, with learning rate {advised.lr:g}, "
        f"{advised.source}."
    )
    if st.button(
        label, icon=":material/play_arrow:", key="train_lower_rate", type="primary", help=help
    ):
        with errors_shown():
            recipe = replace(recipe_at(store, run, advised.step), lr=advised.lr)
            _train_fork(run, advised.step, recipe)


def _train_fork(run: Run, step: int, recipe: Recipe) -> None:
    """Submit a fork, and show it with its run in one chart."""
    submitted = submit_runs(run_store(), fork_request(run_store(), run, step, recipe))
    st.switch_page(TRAIN, query_params={"run": [*submitted, run.id]})


def suggested_step(runs: Sequence[Run]) -> str:
    """Return the one step that stands out: the name of a button of `_links`, or "".

    "" while a run is live or can be continued: then a button for that stands out.
    """
    if any(run.is_live or run.state in RESUMABLE_STATES for run in runs):
        return ""
    if len(runs) > 1:
        return "results"
    return "draw" if runs[0].request.spec.in_size[0] == 1 else "inspect"


def _links(runs: Sequence[Run]) -> None:
    """Show the buttons that open other pages, the suggested one first, and the form of a fork."""
    first, is_ended = runs[0], not any(run.is_live for run in runs)
    run_ids = [run.id for run in runs]
    another = {
        "dataset": first.request.dataset,
        "design": encode(first.request.spec),
        "recipe": encode_recipe(first.request.recipe),
    }
    steps: dict[str, tuple[str, str, Path, dict[str, Any]]] = {
        "inspect": ("Look inside", "search", INSPECT, {"run": first.id}),
        "draw": ("Test with a drawing", "draw", DRAW, {"run": run_ids}),
        "results": ("See in results", "table_rows", RESULTS, {"run": run_ids}),
        "another": ("Train another", "add", TRAIN, another),
    }
    if not is_ended or first.request.spec.in_size[0] != 1:
        del steps["draw"]
    suggested = suggested_step(runs)
    for name in sorted(steps, key=lambda name: name != suggested):
        label, icon, page, query = steps[name]
        if st.button(
            label,
            icon=f":material/{icon}:",
            key=f"train_{name}",
            type="primary" if name == suggested else "secondary",
        ):
            st.switch_page(page, query_params=query)
    if is_ended and len(runs) == 1:
        fork_popover(first)


def _resume(run_ids: Sequence[str]) -> None:
    for run_id in run_ids:
        run_store().resume(run_id)


_FORK_HELP = "A new run that continues from a saved step of this one, with other settings."


def fork_popover(run: Run) -> None:
    """Show the form of a fork in a popover; nothing if the run has no checkpoint."""
    store = run_store()
    steps = [each.step for each in store.saved_weights(run.id) if each.what == "checkpoint"]
    if not steps:
        return
    with st.popover("Fork", icon=":material/fork_right:", help=_FORK_HELP):
        step = st.selectbox(
            "From step",
            sorted(steps, reverse=True),
            format_func=lambda step: f"{step:,}",
            key=f"train_fork_step_{run.id}",
        )
        done = epochs_until(store, run.id, step)
        more_epochs = whole_number_input(
            "More epochs",
            1,
            10_000,
            max(1, run.request.recipe.epochs - done),
            key=f"train_fork_epochs_{run.id}_{step}",
        )
        recipe = _fork_recipe(recipe_at(store, run, step), f"{run.id}_{step}")
        recipe = replace(recipe, epochs=done + more_epochs)
        st.caption(f"{describe_recipe(recipe)}.")
        if st.button("Train the fork", type="primary", key="train_fork", width="stretch"):
            with errors_shown():
                _train_fork(run, step, recipe)


def _fork_recipe(recipe: Recipe, key: str) -> Recipe:
    """Show the settings that were in force at a step, for the fork to change."""
    lr = st.number_input(
        _lr_label(recipe),
        min_value=0.0,
        value=recipe.lr,
        step=0.001,
        format="%g",
        key=f"train_fork_lr_{key}",
        help="With a schedule, its highest value. The schedule covers the whole length of the run.",
    )
    decay = st.number_input(
        "Weight decay",
        min_value=0.0,
        value=recipe.weight_decay,
        step=0.0001,
        format="%g",
        key=f"train_fork_decay_{key}",
    )
    return replace(recipe, lr=lr, weight_decay=decay, max_batches=None)

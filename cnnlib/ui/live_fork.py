"""A fork: a new run from a saved step of an ended one, with another rate or more epochs."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from cnnlib.records.run import Origin, Run, RunRequest
from cnnlib.ui.common.messages import errors_told
from cnnlib.ui.common.shared import run_store
from cnnlib.ui.common.urls import TRAIN
from cnnlib.ui.train.request_form import submit

_HELP = "A new run that goes on from a saved step of this one, with another rate or more epochs."


def fork_popover(run: Run) -> None:
    """The form of a fork in a popover; nothing where the run kept no checkpoint."""
    steps = [each.step for each in run_store().saved(run.id) if each.what == "checkpoint"]
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
            with errors_told():
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

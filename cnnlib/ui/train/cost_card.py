"""The card beside the training form: what a training will cost."""

from __future__ import annotations

from html import escape
from math import ceil
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.data.split import validation_size
from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.runs.capacity import default_runs
from cnnlib.train.execution.forecast import Basis, Forecast, forecast, train_count
from cnnlib.train.submit import with_settled_mode
from cnnlib.ui.common.format import count
from cnnlib.ui.common.shared import folders, run_store
from cnnlib.units import forecast_size, format_size, format_time, plural
from cnnlib.vocabulary.training import OPTIMIZERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.recipe import Recipe
    from cnnlib.records.run import RunRequest

Line = tuple[str, str, str]  # what, its value, a note

_BASES: dict[Basis, str] = {
    "this design": "Measured here, with this design.",
    "other designs": "Estimated from earlier runs of other designs.",
    "a guess": "Rough guess: no run was timed on this machine yet.",
}


def show_cost(request: RunRequest, info: DatasetInfo, seeds: int) -> None:
    """Show the size of the network, and time, memory and pictures where they are known."""
    st.header("What it will cost", anchor=False)
    lines, basis = size_lines(request), ""
    if info.train_count:
        threads = run_store().workers.free_threads()
        estimate = forecast(with_settled_mode(request, seeds), info, folders(), threads)
        lines = [
            *forecast_lines(estimate, request.recipe.epochs, seeds),
            *picture_lines(request, info),
            *lines,
        ]
        basis = _BASES[estimate.basis]
    st.html(_lines_html(lines))
    if basis:
        st.caption(basis)


def size_lines(request: RunRequest) -> list[Line]:
    """Describe the size of a network, and the memory of a step with its recipe, as Build does."""
    recipe = request.recipe
    costs = cost(plan(request.spec), batch_size=recipe.batch_size, optimizer=recipe.optimizer)
    return [
        ("Parameters", count(costs.params), ""),
        ("MACs", count(costs.macs), "multiply-accumulate operations for one picture"),
        ("Memory, training step", format_size(costs.training_bytes), _step_note(recipe)),
    ]


def forecast_lines(estimate: Forecast, epochs: int, seeds: int) -> list[Line]:
    """Describe time and memory; of several runs, some train at once.

    Args:
        estimate: Of one run.
    """
    turns = ceil(seeds / default_runs())
    runs = f", {seeds} runs" if seeds > 1 else ""
    each = "; for each run" if runs else ""
    return [
        ("Time in total", _time(estimate.seconds * turns), f"{plural(epochs, 'epoch')}{runs}"),
        ("Time per epoch", _time(estimate.seconds_per_epoch), ""),
        ("Memory, whole run", forecast_size(estimate.peak_memory_bytes), _RUN_NOTE + each),
    ]


_RUN_NOTE = "the dataset, and a step with the working memory of its program"


def _step_note(recipe: Recipe) -> str:
    """Describe what the memory of a step depends on: ``batch of 128, AdamW``."""
    return f"batch of {recipe.batch_size}, {OPTIMIZERS[recipe.optimizer].label}"


def picture_lines(request: RunRequest, info: DatasetInfo) -> list[Line]:
    """Describe how many pictures are trained on, and how many are not."""
    held_out = validation_size(info, request.validation)
    note = f"{count(held_out)} more for validation" if held_out else "no validation split"
    return [("Training pictures", count(train_count(request, info)), note)]


def _time(seconds: float) -> str:
    """Format a forecast with two significant digits: its precision."""
    return f"about {format_time(float(f'{seconds:.2g}'))}"


def _lines_html(lines: Iterable[Line]) -> str:
    rows = (
        f"<div><dt>{escape(what)}{f'<small>{escape(note)}</small>' if note else ''}</dt>"
        f"<dd>{escape(value)}</dd></div>"
        for what, value, note in lines
    )
    return f'<dl class="costs">{"".join(rows)}</dl>'

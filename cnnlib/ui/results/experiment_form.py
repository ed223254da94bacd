"""The form of an experiment: a design, a dataset, and the settings that are varied."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.design.presets import adapt
from cnnlib.errors import CnnlibError
from cnnlib.experiments.grid import start_grid
from cnnlib.experiments.search import start_search
from cnnlib.experiments.search_space import combinations, read_value
from cnnlib.records.recipe_presets import default_preset
from cnnlib.records.run import RunRequest
from cnnlib.records.setting_labels import setting_label
from cnnlib.train.execution.duration import duration_of
from cnnlib.ui.common.format import escape_markdown
from cnnlib.ui.common.messages import errors_shown, show_error
from cnnlib.ui.common.recipe_form import recipe_by_name, recipe_menu
from cnnlib.ui.common.shared import folders, run_store
from cnnlib.ui.common.whole_number import whole_number_input
from cnnlib.ui.results.duel_form import choose_info, known_designs, length_fields
from cnnlib.ui.results.setting_menu import CHOICES
from cnnlib.units import format_time, plural

if TYPE_CHECKING:
    from collections.abc import Mapping

GRID, SEARCH = "Grid", "Search"
_KIND_LABELS = {GRID: "Every combination", SEARCH: "Search"}
_KIND_HELP = (
    "Every combination (a grid): trains all combinations of the values. Search: chooses each new "
    "combination from the results so far."
)
_FIRST = ("lr", "optimizer")  # the settings that are varied at first


def experiment_form() -> str | None:
    """Show the form; return the id of an experiment just started."""
    st.header("Which settings make a difference?")
    left, right = st.columns([2, 3])
    with left.container(border=True, height="stretch"):
        request = _choose_base_request()
    with right.container(border=True, height="stretch"):
        kind = st.segmented_control(
            "Kind",
            [GRID, SEARCH],
            default=GRID,
            required=True,
            format_func=_KIND_LABELS.__getitem__,
            key="experiments_kind",
            help=_KIND_HELP,
        )
        names = st.multiselect(
            "Settings to vary",
            list(CHOICES),
            default=_FIRST,
            format_func=setting_label,
            key="experiments_settings",
            placeholder="Choose a setting",
        )
        settings = {name: _space(name, kind) for name in names}
        options = _options(kind)
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(
            "Start", type="primary", icon=":material/play_arrow:", key="experiments_start"
        )
        if request is not None:
            st.caption(escape_markdown(_describe_size(kind, request, settings, options)))
    if not pressed or request is None:
        return None
    with errors_shown():
        return _start(kind, request, settings, options)
    return None


def _space(name: str, kind: str) -> dict[str, Any]:
    """Show the values of one setting as chips, or the ends of its range; return them.

    Returns:
        ``{"choices": [...]}``, or ``{"low": ..., "high": ..., "log": ...}``.
    """
    choice = CHOICES[name]
    if kind == SEARCH and choice.range:
        low, high, log = choice.range
        with st.container(horizontal=True, vertical_alignment="bottom"):
            start, end = (
                st.number_input(
                    f"{setting_label(name)}, {word}",
                    value=value,
                    format="%g" if isinstance(low, float) else "%d",
                    key=f"experiments_{key}_{name}",
                    width=150,
                )
                for word, key, value in (("from", "low", low), ("to", "high", high))
            )
            log = st.toggle("Log scale", log, key=f"experiments_log_{name}", help=_LOG_HELP)
        return {"low": start, "high": end, "log": log}
    values = st.multiselect(
        setting_label(name),
        choice.values,
        default=choice.values[: choice.chosen],
        accept_new_options=True,
        key=f"experiments_values_{name}",
        placeholder="Type a value and press Enter",
    )
    return {"choices": [read_value(value) for value in values]}


_LOG_HELP = "Tries as many values between 0.001 and 0.01 as between 0.01 and 0.1."


def _describe_size(
    kind: str,
    request: RunRequest,
    settings: Mapping[str, Mapping[str, Any]],
    options: Mapping[str, Any],
) -> str:
    """Say how many runs the experiment has, and about how long they take."""
    try:
        if kind == GRID:
            proposed = combinations(request, _choices(settings))
            valid = [each.request for each in proposed if each.request is not None]
            count, seeds = len(proposed), options["seeds"]
            runs = duration_of(valid, seeds, folders())
            text = f"{plural(count, 'combination')} with {plural(seeds, 'seed')} each"
            if count > len(valid):
                text += f", of which {count - len(valid):,} cannot be built"
        else:
            runs = duration_of([request], options["trials"], folders())
            text = f"{plural(options['trials'], 'trial')}"
    except CnnlibError as error:
        return str(error)
    rough = "" if runs.is_measured else " (a rough estimate)"
    most = "at most " if kind == SEARCH and options["prune"] else "about "
    return f"{text}: {plural(runs.runs, 'run')}, {most}{format_time(runs.seconds)}{rough}."


def _choices(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {name: space["choices"] for name, space in settings.items()}


def _choose_base_request() -> RunRequest | None:
    """Show the menus of the run that is varied; None if the design does not fit."""
    info, designs = choose_info(), known_designs()
    labels = list(designs)
    default = default_preset(info.in_size)
    defaults = [label for label in labels if designs[label].preset == default]
    label = st.selectbox(
        "Design to start from",
        labels,
        index=labels.index(defaults[0]),
        key="experiments_design",
    )
    name = recipe_menu("For this design and dataset", key="experiments_recipe")
    with st.grid(2):
        epochs, limit = length_fields("experiments")
    try:
        spec = adapt(designs[label].spec, info.in_size, len(info.classes))
    except CnnlibError as error:
        show_error(error)
        return None
    recipe = recipe_by_name(name, spec, info)
    recipe = replace(recipe, epochs=epochs) if epochs else recipe
    return RunRequest(spec, recipe, info.name, train_limit=limit)


def _options(kind: str) -> dict[str, Any]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name", key="experiments_name", placeholder="none", width=200)
        if kind == GRID:
            return {
                "name": name,
                "seeds": whole_number_input(
                    *("Seeds", 1, 20, 1), key="experiments_seeds", width=140, help=_SEEDS_HELP
                ),
            }
        return {
            "name": name,
            "trials": whole_number_input(
                *("Trials", 1, 500, 20), key="experiments_trials", width=140, help=_TRIALS_HELP
            ),
            "prune": st.toggle(
                "Stop weak runs early", True, key="experiments_prune", help=_PRUNE_HELP
            ),
        }


_SEEDS_HELP = "Number of runs of each combination, each with another random seed."
_TRIALS_HELP = "A trial is one run with one combination of the settings."
_PRUNE_HELP = (
    "Hyperband: after 1, 3, 9, ... epochs only the best third of the runs that have come as far "
    "goes on."
)


def _start(
    kind: str,
    request: RunRequest,
    settings: Mapping[str, Mapping[str, Any]],
    options: Mapping[str, Any],
) -> str:
    if kind == GRID:
        return start_grid(run_store(), request, _choices(settings), **options)
    return start_search(run_store(), request, settings, **options)

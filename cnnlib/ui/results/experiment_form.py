"""The form of an experiment: a design, a dataset, and the settings that are varied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from cnnlib.design.presets import adapt
from cnnlib.errors import RecipeError
from cnnlib.experiments.grid import start_grid
from cnnlib.experiments.search import start_search
from cnnlib.experiments.search_space import SETTINGS, SHORT, read_range, read_values
from cnnlib.records.run import RunRequest
from cnnlib.ui.common.messages import errors_shown
from cnnlib.ui.common.recipe_form import recipe_by_name, recipe_menu
from cnnlib.ui.common.shared import default_preset, run_store
from cnnlib.ui.results.duel_form import choose_info, known_designs, length_fields

GRID, SEARCH = "Grid", "Search"
_KIND_HELP = (
    "Grid: trains every combination of the values. Search: chooses each new combination from the "
    "results so far."
)
_EXAMPLES = {
    GRID: "K = 32, 64\nL = 2, 4, 8\nP = L/4\nblock = plain, residual",
    SEARCH: "lr = 1e-4..1e-1:log\nbatch_size = 32, 64, 128\nnorm = none, batch",
}


def experiment_form() -> str | None:
    """Show the form; return the id of an experiment just started."""
    left, right = st.columns(2, gap="large")
    with left:
        request = _choose_base_request()
    with right:
        kind = st.segmented_control(
            "Kind",
            [GRID, SEARCH],
            default=GRID,
            required=True,
            key="experiments_kind",
            help=_KIND_HELP,
        )
        text = st.text_area(
            "Settings to vary, one per line",
            _EXAMPLES[kind],
            height=140,
            key=f"experiments_vary_{kind}",
            help="Write values separated by commas. A search also takes a range LOW..HIGH, or "
            "LOW..HIGH:log on a logarithmic scale. "
            f"Settings: {', '.join(SETTINGS)}. {_describe_short_names()}",
        )
        options = _options(kind)
        pressed = st.button(
            "Start", type="primary", icon=":material/play_arrow:", key="experiments_start"
        )
    if not pressed or request is None:
        return None
    with errors_shown():
        return _start(kind, request, _parse_settings(text), options)
    return None


def _choose_base_request() -> RunRequest | None:
    """Show the menus of the run that is varied; None if the design does not fit."""
    info, designs = choose_info(), known_designs()
    labels = list(designs)
    defaults = [label for label in labels if designs[label].preset == default_preset(info.name)]
    label = st.selectbox(
        "Design to start from",
        labels,
        index=labels.index(defaults[0]),
        key="experiments_design",
    )
    name = recipe_menu("For this design and dataset", key="experiments_recipe")
    with st.grid(2):
        epochs, limit = length_fields("experiments")
    with errors_shown():
        spec = adapt(designs[label].spec, info.in_size, len(info.classes))
        recipe = recipe_by_name(name, spec, info)
        recipe = replace(recipe, epochs=epochs) if epochs else recipe
        return RunRequest(spec, recipe, info.name, train_limit=limit)
    return None


def _options(kind: str) -> dict[str, Any]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name", key="experiments_name", placeholder="none", width=200)
        if kind == GRID:
            return {
                "name": name,
                "seeds": st.number_input(
                    *("Seeds", 1, 20, 1), key="experiments_seeds", width=140, help=_SEEDS_HELP
                ),
            }
        return {
            "name": name,
            "trials": st.number_input(
                *("Trials", 1, 500, 20), key="experiments_trials", width=140, help=_TRIALS_HELP
            ),
            "prune": st.toggle(
                "Stop weak runs early", True, key="experiments_prune", help=_PRUNE_HELP
            ),
        }


_SEEDS_HELP = "Number of runs of each combination, each with another random seed."
_TRIALS_HELP = "A trial is one run with one combination of the settings."
_PRUNE_HELP = (
    "Stops a run if its validation accuracy after an epoch is below the median of the earlier runs "
    "at that epoch."
)


def _start(
    kind: str, request: RunRequest, settings: Mapping[str, str], options: Mapping[str, Any]
) -> str:
    store = run_store()
    if kind == GRID:
        varied = {name: read_values(text) for name, text in settings.items()}
        return start_grid(store, request, varied, **options)
    space = {name: read_range(text) for name, text in settings.items()}
    return start_search(store, request, space, **options)


def _parse_settings(text: str) -> dict[str, str]:
    """Parse lines such as ``K = 32, 64`` into the texts of the values, by setting.

    Raises:
        RecipeError: A line has no values, or there is no line.
    """
    settings = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, equals, values = line.partition("=")
        if not equals or not values.strip():
            raise RecipeError(
                f"The line {line!r} has no values. Each line needs a setting, an equals sign and "
                "values. Write, for example: K = 32, 64"
            )
        settings[name.strip()] = values
    if not settings:
        raise RecipeError(
            "The list of settings is empty. An experiment needs at least one setting with its "
            "values. Write, for example: K = 32, 64"
        )
    return settings


def _describe_short_names() -> str:
    return "; ".join(f"{letter}: {text}" for letter, text in SHORT.items()) + "."

"""The form of an experiment: a design, a dataset, and the settings that are varied."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from cnnlib.design.presets import adapt
from cnnlib.errors import CnnlibError, RecipeError
from cnnlib.experiments.grid import start_grid
from cnnlib.experiments.search import start_search
from cnnlib.experiments.search_space import SETTINGS, SHORT, read_range, read_values
from cnnlib.records.run import RunRequest
from cnnlib.ui.common.defaults import default_preset
from cnnlib.ui.common.messages import show_error
from cnnlib.ui.common.recipe_form import recipe_by_name, recipe_menu
from cnnlib.ui.common.shared import run_store
from cnnlib.ui.results.duel_form import choose_info, known_designs

if TYPE_CHECKING:
    from collections.abc import Mapping

GRID, SEARCH = "Grid", "Search"
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
            "Kind", [GRID, SEARCH], default=GRID, required=True, key="experiments_kind"
        )
        text = st.text_area(
            "Settings, one a line",
            _EXAMPLES[kind],
            height=140,
            key=f"experiments_vary_{kind}",
            help="A grid takes values with commas between; a search also LOW..HIGH, and "
            f"LOW..HIGH:log. Settings: {', '.join(SETTINGS)}. {_describe_short_names()}",
        )
        options = _options(kind)
        pressed = st.button(
            "Begin", type="primary", icon=":material/play_arrow:", key="experiments_start"
        )
    if not pressed or request is None:
        return None
    try:
        return _start(kind, request, _parse_settings(text), options)
    except CnnlibError as error:
        show_error(error)
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
        epochs = st.number_input(
            "Epochs", 1, 1000, None, placeholder="the recipe's", key="experiments_epochs"
        )
        limit = st.number_input(
            "Training pictures",
            1,
            value=None,
            step=1000,
            placeholder="all",
            key="experiments_limit",
        )
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
                "seeds": st.number_input("Seeds", 1, 20, 1, key="experiments_seeds", width=140),
            }
        return {
            "name": name,
            "trials": st.number_input("Trials", 1, 500, 20, key="experiments_trials", width=140),
            "prune": st.toggle("End what falls behind", True, key="experiments_prune"),
        }


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
            raise RecipeError(f"{line!r} has no values. Write a setting and its values: K = 32, 64")
        settings[name.strip()] = values
    if not settings:
        raise RecipeError("Nothing is varied. Write a setting and its values: K = 32, 64")
    return settings


def _describe_short_names() -> str:
    return "; ".join(f"{letter}: {text}" for letter, text in SHORT.items()) + "."

"""The form for training: dataset, design, recipe, seeds, and the button that asks for runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.data.catalogue import catalogue
from cnnlib.errors import RecipeError, SpecError
from cnnlib.records.recipe_presets import RECIPES
from cnnlib.records.run import DEVICES, PRECISIONS, Run, RunRequest
from cnnlib.train.execution.forecast import Basis, Forecast, forecast
from cnnlib.ui.common.defaults import default_dataset, default_preset
from cnnlib.ui.common.messages import show_error
from cnnlib.ui.common.pickers.dataset_picker import choose_dataset
from cnnlib.ui.common.pickers.design_picker import (
    ChosenDesign,
    FittedDesign,
    choose_design,
    fit,
    show_design,
)
from cnnlib.ui.common.recipe_form import recipe_called, recipe_form, recipe_menu
from cnnlib.ui.common.shared import folders
from cnnlib.ui.common.submit import submit_or_show_error
from cnnlib.units import format_size, format_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamlit.delta_generator import DeltaGenerator

    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.recipe import Recipe

MOST_SEEDS = 20


def request_form(runs: Sequence[Run]) -> list[str]:
    """The whole form; returns the ids of the runs that were asked for, once, when they are.

    Args:
        runs: Past runs, whose designs are offered.
    """
    infos = catalogue(folders())
    left, right = st.columns(2, gap="large")
    with left:
        info, chosen, fitted = _what(infos, runs)
    with right:
        return _how(info, chosen, fitted)


def _what(
    infos: Sequence[DatasetInfo], runs: Sequence[Run]
) -> tuple[DatasetInfo, ChosenDesign, FittedDesign]:
    """Dataset and design; stops the page with a sentence where they do not fit."""
    info = choose_dataset(infos, default_dataset(infos).name)
    try:
        chosen = choose_design(default_preset(info.name), runs)
        fitted = fit(chosen, info)
    except SpecError as error:
        show_error(error)
        st.stop()
    show_design(chosen, fitted, info.name)
    return info, chosen, fitted


def _how(info: DatasetInfo, chosen: ChosenDesign, fitted: FittedDesign) -> list[str]:
    """Recipe and seeds, and the button; what few people change stands below it."""
    offered = _recipe_to_start_from(info, fitted)
    usual, start, more = st.container(), st.container(), st.container()
    try:
        recipe = recipe_form(offered, usual, more)
        request = _request_fields(info, chosen, fitted, recipe, more)
    except RecipeError as error:
        show_error(error)
        st.stop()
    with start.container(horizontal=True, vertical_alignment="bottom"):
        seeds = st.number_input(
            "Seeds",
            1,
            MOST_SEEDS,
            1,
            key="train_seeds",
            width=120,
            help="Train the same design several times, each from other random weights: how much "
            "of a result is luck?",
        )
        pressed = st.button(
            "Train", type="primary", icon=":material/play_arrow:", key="train_start", width=160
        )
    start.caption(forecast_line(request, info, seeds))
    return submit_or_show_error(request, seeds) if pressed else []


def _recipe_to_start_from(info: DatasetInfo, fitted: FittedDesign) -> Recipe:
    name = recipe_menu("For this design and dataset", key="train_recipe")
    if name in RECIPES:
        st.caption(RECIPES[name].source)
    return recipe_called(name, fitted.spec, info)


def _request_fields(
    info: DatasetInfo,
    chosen: ChosenDesign,
    fitted: FittedDesign,
    recipe: Recipe,
    place: DeltaGenerator,
) -> RunRequest:
    with place.expander("More about the run", icon=":material/settings:"), st.grid(3):
        limit = st.number_input(
            "Training pictures", 1, value=None, step=1000, placeholder="all", key="train_limit"
        )
        return RunRequest(
            spec=fitted.spec,
            recipe=recipe,
            dataset=info.name,
            preset=chosen.preset,
            train_limit=limit,
            name=st.text_input("Name", key="train_name", placeholder="none"),
            seed=st.number_input("First seed", 0, 2**31 - 1, 0, key="train_seed"),
            validation=st.number_input(
                "Share kept for validation", 0.0, 0.9, 0.1, step=0.05, key="train_validation"
            ),
            split_seed=st.number_input(
                "Seed of the split", 0, 2**31 - 1, 0, key="train_split_seed"
            ),
            device=st.selectbox("Device", DEVICES, key="train_device"),
            precision=st.selectbox(
                "Precision",
                PRECISIONS,
                key="train_precision",
                format_func={"auto": "auto", "fp32": "float32", "bf16": "bfloat16"}.__getitem__,
                help="Of convolutions and matrix products. bfloat16 keeps 8 of float32's 24 bits: "
                "faster on newer processors and GPUs, slower on others. auto takes float32 on a "
                "processor, and what is faster on a GPU.",
            ),
        )


_BASES: dict[Basis, str] = {
    "this design": "Measured here, with this design.",
    "other designs": "Reckoned from other designs that ran here.",
    "a guess": "A guess: nothing has been timed on this machine yet.",
}


def forecast_line(request: RunRequest, info: DatasetInfo, seeds: int) -> str:
    """Time and memory in one line; "" where the dataset's size is not known yet."""
    if not info.train_count:
        return ""
    return describe(forecast(request, info, folders()), request.recipe.epochs, seeds)


def describe(found: Forecast, epochs: int, seeds: int) -> str:
    """``About 12 s an epoch, 36 s in all, 180 MB. Measured here, with this design.``"""
    parts = [f"{format_time(_about(found.seconds_per_epoch))} an epoch"] if epochs > 1 else []
    parts.append(f"{format_time(_about(found.seconds * seeds))} in all")
    parts.append(f"{format_size(found.peak_memory_bytes)} for network and pictures")
    return f"About {', '.join(parts)}. {_BASES[found.basis]}"


def _about(seconds: float) -> float:
    """Two digits: a forecast is no better than that."""
    return float(f"{seconds:.2g}")

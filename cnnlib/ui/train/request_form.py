"""The training form: dataset, design, recipe, seeds, and the button that submits runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.data.catalogue import catalogue
from cnnlib.data.split import describe_few_validation, own_split_sentence, validation_size
from cnnlib.errors import RecipeError, SpecError
from cnnlib.records.recipe_link import decode_recipe, encode_recipe
from cnnlib.records.recipe_presets import RECIPES, default_preset
from cnnlib.records.run import DEVICES, PRECISIONS, Run, RunRequest
from cnnlib.train.submit import submit_runs
from cnnlib.ui.common.format import escape_markdown
from cnnlib.ui.common.messages import errors_shown, show_error
from cnnlib.ui.common.pickers.dataset_picker import choose_dataset
from cnnlib.ui.common.pickers.design_picker import (
    ChosenDesign,
    choose_design,
    fit,
    show_design,
)
from cnnlib.ui.common.recipe_form import recipe_by_name, recipe_form, recipe_menu
from cnnlib.ui.common.shared import (
    available_datasets,
    default_dataset,
    folders,
    run_store,
)
from cnnlib.ui.common.urls import in_address, set_in_address
from cnnlib.ui.common.whole_number import whole_number_input
from cnnlib.ui.train.cost_card import show_cost

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from cnnlib.design.spec import CNNSpec
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.recipe import Recipe

MOST_SEEDS = 20


def request_form(runs: Sequence[Run]) -> list[str]:
    """Show the form and return the ids of the runs that were just submitted, if any.

    Args:
        runs: Past runs; the menu of designs contains their designs.
    """
    infos = available_datasets(catalogue(folders()))
    form, side = st.columns([3, 2], gap="large")
    with form:
        info, chosen, fitted = _choose_dataset_and_design(infos, runs)
        request, seeds = _training_form(info, chosen, fitted)
    with side, st.container(border=True, key="train_cost"):
        return _start(request, info, seeds)


def _choose_dataset_and_design(
    infos: Sequence[DatasetInfo], runs: Sequence[Run]
) -> tuple[DatasetInfo, ChosenDesign, CNNSpec]:
    """Show the menus of datasets and designs; stop the page if the two do not fit."""
    info = choose_dataset(infos, default_dataset(infos).name)
    try:
        chosen = choose_design(default_preset(info.in_size), runs)
        fitted = fit(chosen, info)
    except SpecError as error:
        show_error(error)
        st.stop()
    show_design(chosen, fitted, info.name)
    return info, chosen, fitted


def _training_form(
    info: DatasetInfo, chosen: ChosenDesign, fitted: CNNSpec
) -> tuple[RunRequest, int]:
    """Show recipe and seeds, with rarely changed settings below; stop the page at an error."""
    try:
        default = _choose_default_recipe(info, fitted)
    except RecipeError as error:  # the link in the address is damaged
        show_error(error)
        st.stop()
    usual, more = st.grid(5, min_column_width=114), st.container()
    try:
        recipe = recipe_form(default, usual, more)
        request = _request_fields(info, chosen, fitted, recipe, more)
        _put_recipe_in_address(recipe, recipe_by_name("default", fitted, info))
    except RecipeError as error:
        show_error(error)
        st.stop()
    with usual:
        seeds = whole_number_input(
            "Seeds",
            *(1, MOST_SEEDS, 1),
            key="train_seeds",
            help="Number of runs of this design. Each run starts from other random weights and has "
            "another data order, which shows how much of a result is luck.",
        )
    return request, seeds


def _start(request: RunRequest, info: DatasetInfo, seeds: int) -> list[str]:
    """Show the cost and the button; return the ids of the runs that it submitted."""
    show_cost(request, info, seeds)
    if few := describe_few_validation(validation_size(info, request.validation)):
        st.caption(few)
    pressed = st.button(
        "Train", type="primary", icon=":material/play_arrow:", key="train_start", width="stretch"
    )
    if pressed:
        with errors_shown():
            return submit_runs(run_store(), request, seeds)
    return []


_LINK, _LINKED, _WRITTEN = "link", "train_recipe_linked", "train_recipe_written"
_MOST_WRITTEN = 50  # links of this session that are remembered


def _choose_default_recipe(info: DatasetInfo, fitted: CNNSpec) -> Recipe:
    """Show the menu of recipes; a recipe in the page's address is its first option.

    Raises:
        RecipeError: The recipe in the address cannot be read.
    """
    link = in_address("recipe")
    # A rerun may come with an address that the browser has not updated yet: also older links of
    # this session are its own. Any other one was opened or reloaded.
    if link and link not in st.session_state.get(_WRITTEN, ()):
        st.session_state[_LINKED] = link
    linked = st.session_state.get(_LINKED, "")
    name = recipe_menu(
        "For this design and dataset",
        key=f"train_recipe_{linked}" if linked else "train_recipe",
        first={_LINK: "As in the link"} if linked else None,
    )
    if name == _LINK:
        return decode_recipe(linked)
    if name in RECIPES:
        st.caption(RECIPES[name].source)
    return recipe_by_name(name, fitted, info)


def _put_recipe_in_address(recipe: Recipe, default: Recipe) -> None:
    """Keep the address up to date, so that a reload or a link shows the same recipe.

    The plain address stands for the default: each change of the address is one more place for the
    browser's Back, which must not find the page that was just opened twice.
    """
    if recipe == default and not in_address("recipe"):
        return
    link = encode_recipe(recipe)
    earlier = [each for each in st.session_state.get(_WRITTEN, ()) if each != link]
    st.session_state[_WRITTEN] = [*earlier[-_MOST_WRITTEN:], link]
    set_in_address("recipe", link)


def _request_fields(
    info: DatasetInfo,
    chosen: ChosenDesign,
    fitted: CNNSpec,
    recipe: Recipe,
    place: DeltaGenerator,
) -> RunRequest:
    expander = place.expander("More run settings", icon=":material/settings:")
    if own_split := own_split_sentence(info):
        expander.caption(escape_markdown(own_split))
    with expander, st.grid(3):
        limit = whole_number_input(
            "Training pictures",
            1,
            step=1000,
            placeholder="all",
            key="train_limit",
            help="Trains on this many pictures only. The share of each class stays the same.",
        )
        return RunRequest(
            spec=fitted,
            recipe=recipe,
            dataset=info.name,
            preset=chosen.preset,
            train_limit=limit,
            name=st.text_input(
                "Name",
                key="train_name",
                placeholder="none",
                help="Name of the run. Empty: the name of its design.",
            ),
            seed=whole_number_input(
                "First seed",
                *(0, 2**31 - 1, 0),
                key="train_seed",
                help="Start of the random numbers of the first run: its first weights and the "
                "order of its pictures. The same seed gives the same run on the same machine.",
            ),
            validation=st.number_input(
                "Share of the validation split",
                *(0.0, 0.9, 0.1),
                step=0.05,
                key="train_validation",
                help="Share of the training pictures that are not trained on. The accuracy on them "
                "is measured after each epoch; choose settings by it. 0: no validation split.",
            ),
            split_seed=whole_number_input(
                "Seed of the validation split",
                *(0, 2**31 - 1, 0),
                key="train_split_seed",
                help="Chooses the pictures of the validation split. Runs with the same seed have "
                "the same split.",
            ),
            device=st.selectbox(
                "Device",
                DEVICES,
                key="train_device",
                help="Where the network is trained: cpu is the processor, cuda an NVIDIA GPU, mps "
                "an Apple GPU. auto: a GPU if there is one.",
            ),
            precision=st.selectbox(
                "Precision",
                PRECISIONS,
                key="train_precision",
                format_func=_PRECISION_LABELS.__getitem__,
                help="Of convolutions and matrix products. bfloat16 keeps 8 of float32's 24 bits; "
                "it is faster on some processors and slower on others. fastest: both are measured "
                "before the first step. auto: float32 on a processor, fastest on a GPU.",
            ),
        )


_PRECISION_LABELS = {
    "auto": "auto",
    "fp32": "float32",
    "bf16": "bfloat16",
    "fastest": "fastest (measured)",
}

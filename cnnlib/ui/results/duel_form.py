"""The form of the Compare page: two designs, a dataset and the settings of a duel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.compare.results_table import ResultsTable
from cnnlib.data.catalogue import catalogue
from cnnlib.design.link import decode
from cnnlib.design.presets import adapt, presets
from cnnlib.errors import CnnlibError
from cnnlib.experiments.duel import SPLITS, Duel, start_duel
from cnnlib.experiments.duel_statistics import DEFAULT_MOST_PAIRS, DEFAULT_WITHIN
from cnnlib.experiments.group_sequential import FIRST_LOOK, MOST_PAIRS, first_verdict
from cnnlib.records.run import RunRequest
from cnnlib.runs.saved_designs import SavedDesigns
from cnnlib.ui.common.format import dataset_label, dataset_menu, describe_recipe
from cnnlib.ui.common.messages import show_error
from cnnlib.ui.common.pickers.dataset_picker import show_dataset_warnings
from cnnlib.ui.common.recipe_form import recipe_by_name, recipe_menu
from cnnlib.ui.common.shared import available_datasets, default_dataset, folders, run_store
from cnnlib.ui.common.urls import kept_design

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cnnlib.compare.rows import Row
    from cnnlib.design.spec import CNNSpec
    from cnnlib.records.dataset import DatasetInfo

TAB = "compare_tab"  # key of the tabs
DUEL = "Duel: is B better?"
TABS = ("Differences", DUEL)
_PRESELECTED = "compare_preselected"  # session key: labelled designs from the results table
MOST_ROWS = 50  # of the results table, in the menus of designs


@dataclass(frozen=True)
class Side:
    """One of the two designs, fitted to the dataset."""

    name: str
    spec: CNNSpec
    preset: str = ""


def known_designs() -> dict[str, Side]:
    """List the designs by label: the current one, saved ones, presets, those of past runs."""
    sides: list[tuple[str, Side]] = []
    if link := kept_design():
        sides.append(("Your design", Side("your design", decode(link))))
    sides += [
        (f"Saved: {design.name}", Side(design.name, design.spec))
        for design in SavedDesigns(folders(), run_store().owner).designs()
    ]
    sides += [
        (f"{each.title} ({each.name})", Side(each.name, each.spec, each.name)) for each in presets()
    ]
    sides += map(_from_row, ResultsTable(run_store()).rows()[:MOST_ROWS])
    sides += st.session_state.get(_PRESELECTED, [])
    return dict(sides)


def preselect_rows(rows: Sequence[Row]) -> None:
    """Select the designs of two rows of the results table for a duel on the Compare page."""
    sides = [_from_row(row) for row in rows]
    st.session_state[_PRESELECTED] = sides
    for letter, (label, _) in zip("AB", sides, strict=True):
        st.session_state[f"compare_{letter}"] = label
    st.session_state["compare_dataset"] = rows[0].request.dataset
    st.session_state[TAB] = DUEL


def _from_row(row: Row) -> tuple[str, Side]:
    """Return the label in the menus and the design of a row."""
    label = f"Result: {row.name} on {dataset_label(row.request.dataset)}, {row.key[:6]}"
    return label, Side(row.name, row.request.spec, row.request.preset)


def choose_info() -> DatasetInfo:
    """Show the menu of datasets; return the one that both designs are trained on."""
    available = available_datasets(catalogue(folders()))
    infos = {info.name: info for info in available if info.classes and not info.question}
    if st.session_state.get("compare_dataset") not in infos:  # not chosen, deleted, not available
        st.session_state["compare_dataset"] = default_dataset(infos.values()).name
    titles = dataset_menu(infos.values())
    name = st.selectbox(
        "Dataset",
        list(infos),
        format_func=titles.__getitem__,
        key="compare_dataset",
        persist_state="session",
    )
    show_dataset_warnings(infos[name])
    return infos[name]


def choose_sides(designs: Mapping[str, Side], info: DatasetInfo) -> tuple[Side, Side] | None:
    """Show two menus; return designs A and B, fitted to the dataset, or None if one fails."""
    labels = list(designs)
    chosen = []
    for column, letter, default in zip(st.columns(2), "AB", (0, 1), strict=True):
        key = f"compare_{letter}"
        if st.session_state.get(key) not in designs:
            st.session_state[key] = labels[min(default, len(labels) - 1)]
        label = column.selectbox(f"Design {letter}", labels, key=key, persist_state="session")
        side = designs[label]
        try:
            spec = adapt(side.spec, info.in_size, len(info.classes))
        except CnnlibError as error:
            with column:
                show_error(error)
            return None
        chosen.append(replace(side, spec=spec))
    a, b = chosen
    if a.name == b.name:
        a, b = replace(a, name=f"{a.name} (A)"), replace(b, name=f"{b.name} (B)")
    return a, b


def length_fields(page: str) -> tuple[int | None, int | None]:
    """Show the fields of the epochs and of the training pictures; None where one is empty."""
    epochs = st.number_input(
        "Epochs", 1, 1000, None, placeholder="from the recipe", key=f"{page}_epochs"
    )
    limit = st.number_input(
        "Training pictures", 1, value=None, step=1000, placeholder="all", key=f"{page}_limit"
    )
    return epochs, limit


_PAIRS_HELP = (
    "A pair is one run of A and one run of B with the same seed. The duel ends after this many "
    "pairs at the latest. This limit cannot be changed later."
)
_WITHIN_HELP = (
    "If the whole confidence interval of the difference is closer to 0 than this, the duel reports "
    "that the designs are equal. With 0 it never does."
)
_SPLIT_HELP = (
    "The split on which the accuracies are compared. Use the test split for a final result only: "
    "choosing a design by its test accuracy makes that accuracy too optimistic."
)


def duel_form(a: Side, b: Side, info: DatasetInfo) -> str | None:
    """Show the settings of a duel and its button; return the id of a duel just started."""
    with st.grid(3):
        name = recipe_menu("For design A and this dataset", key="compare_recipe")
        epochs, limit = length_fields("compare")
        most_pairs = st.number_input(
            "Maximum number of pairs",
            *(FIRST_LOOK, MOST_PAIRS, DEFAULT_MOST_PAIRS),
            key="compare_pairs",
            help=_PAIRS_HELP,
        )
        within = st.number_input(
            "Count as equal below (percentage points)",
            *(0.0, 50.0, 100 * DEFAULT_WITHIN, 0.05),
            key="compare_within",
            help=_WITHIN_HELP,
        )
        split = st.selectbox("Compared on", SPLITS, key="compare_on", help=_SPLIT_HELP)
    earliest = first_verdict(most_pairs)
    recipe = recipe_by_name(name, a.spec, info)
    recipe = replace(recipe, epochs=epochs) if epochs else recipe
    st.caption(
        f"Both designs use {describe_recipe(recipe)}. The two runs of a pair have the same seed, "
        f"data split and data order. A verdict is possible after {earliest} pairs at the earliest; "
        "from then on the result is checked after every pair, and the duel ends as soon as it is "
        "clear."
    )
    if not st.button(
        "Start the duel", type="primary", icon=":material/balance:", key="compare_start"
    ):
        return None
    request = RunRequest(a.spec, recipe, info.name, train_limit=limit, preset=a.preset)
    try:
        duel = Duel(
            request,
            replace(request, spec=b.spec, preset=b.preset),
            *(a.name, b.name),
            most_pairs=most_pairs,
            within=within / 100,
            on=split,
        )
        return start_duel(run_store(), duel)
    except CnnlibError as error:
        show_error(error)
        return None

"""The form of a duel: two designs, each with a recipe, a dataset, and how they are compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from cnnlib.compare.results_table import ResultsTable
from cnnlib.data.catalogue import catalogue
from cnnlib.design.cost import cost
from cnnlib.design.link import decode
from cnnlib.design.plan import plan
from cnnlib.design.presets import adapt, presets
from cnnlib.errors import CnnlibError, ViewerError
from cnnlib.experiments.duel import PREDICTIONS, SPLITS, Duel, duel_state, start_duel
from cnnlib.experiments.duel_statistics import DEFAULT_MOST_PAIRS, DEFAULT_WITHIN
from cnnlib.experiments.group_sequential import FIRST_LOOK, MOST_PAIRS, first_verdict
from cnnlib.records.recipe_presets import default_recipe
from cnnlib.records.run import RunRequest
from cnnlib.runs import studies
from cnnlib.runs.saved_designs import SavedDesigns
from cnnlib.train.execution.duration import duration_of
from cnnlib.ui.common.format import (
    dataset_label,
    dataset_menu,
    describe_recipe,
    distinct,
    escape_markdown,
)
from cnnlib.ui.common.messages import errors_shown, fragment, show_error
from cnnlib.ui.common.pickers.dataset_picker import show_dataset_warnings
from cnnlib.ui.common.recipe_form import recipe_by_name, recipe_menu
from cnnlib.ui.common.shared import available_datasets, default_dataset, folders, run_store
from cnnlib.ui.common.urls import kept_design
from cnnlib.ui.common.viewer import training_step_seconds
from cnnlib.ui.common.whole_number import whole_number_input
from cnnlib.ui.results.sections import open_section
from cnnlib.units import format_time, plural, short_count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cnnlib.compare.rows import Row
    from cnnlib.design.spec import CNNSpec
    from cnnlib.records.dataset import DatasetInfo
    from cnnlib.records.recipe import Recipe

_PRESELECTED = "compare_preselected"  # session key: labelled designs from the results table
_YOURS = "Your design"
MOST_ROWS = 50  # of the results table, in the menus of designs


@dataclass(frozen=True)
class Side:
    """One of the two designs, fitted to the dataset.

    Args:
        trained: The recipe that it was trained with; None for a design without a run.
        recipe: The recipe that the duel trains it with; None until it is chosen.
    """

    name: str
    spec: CNNSpec
    preset: str = ""
    trained: Recipe | None = None
    recipe: Recipe | None = None


def known_designs() -> dict[str, Side]:
    """List the designs by label: the current one, saved ones, presets, those of past runs."""
    sides: list[tuple[str, Side]] = []
    if link := kept_design():
        sides.append((_YOURS, Side("your design", decode(link))))
    sides += [
        (f"Saved: {design.name}", Side(design.name, design.spec))
        for design in SavedDesigns(run_store()).designs()
    ]
    sides += [
        (f"{each.title} ({each.name})", Side(each.name, each.spec, each.name)) for each in presets()
    ]
    sides += _of_results(ResultsTable(run_store()).rows()[:MOST_ROWS])
    sides += st.session_state.get(_PRESELECTED, [])
    return dict(sides)


def preselect_rows(rows: Sequence[Row]) -> None:
    """Open the form of a duel with the designs of two rows of the results table."""
    sides = _of_results(rows)
    st.session_state[_PRESELECTED] = sides
    for letter, (label, _) in zip("AB", sides, strict=True):
        st.session_state[f"compare_{letter}"] = label
    st.session_state["compare_dataset"] = rows[0].request.dataset
    recipes = {row.request.recipe for row in rows}
    st.session_state["compare_own"] = len(recipes) > 1
    for letter in "AB":
        st.session_state[f"compare_recipe_{letter}"] = _AS_TRAINED
    open_section("duel")


def _of_results(rows: Sequence[Row]) -> list[tuple[str, Side]]:
    """Return the labels in the menus and the designs of rows; the key tells equal labels apart."""
    labels = distinct(
        {
            row.key: f"Result: {row.shown_name} on {dataset_label(row.request.dataset)}"
            for row in rows
        }
    )
    return [
        (
            labels[row.key],
            Side(row.name, row.request.spec, row.request.preset, row.request.recipe),
        )
        for row in rows
    ]


_MENU_PIXELS = 420  # of a menu that stands alone


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
        list(infos).index(st.session_state["compare_dataset"]),
        format_func=titles.__getitem__,
        key="compare_dataset",
        persist_state="session",
        width=_MENU_PIXELS,
    )
    show_dataset_warnings(infos[name])
    return infos[name]


def choose_sides(designs: Mapping[str, Side], info: DatasetInfo) -> tuple[Side, Side] | None:
    """Show two cards; return designs A and B with their recipes, or None if one does not fit."""
    own = st.session_state.get("compare_own", False)
    chosen: list[Side | None] = []
    for column, letter in zip(st.columns(2), "AB", strict=True):
        with column.container(border=True, height="stretch", key=f"compare_card_{letter}"):
            chosen.append(_choose_side(designs, info, letter, has_recipe=own or letter == "A"))
    st.toggle(
        "Each with its own recipe", key="compare_own", persist_state="session", help=_OWN_HELP
    )
    a, b = chosen
    if a is None or b is None:
        return None
    if a.name == b.name:
        a, b = replace(a, name=f"{a.name} (A)"), replace(b, name=f"{b.name} (B)")
    return a, b if own else replace(b, recipe=a.recipe)


_OWN_HELP = (
    "Off: both are trained with the recipe of A, so the duel compares the designs alone. On: each "
    "has a recipe of its own, and the duel compares design and recipe together."
)
_AS_TRAINED = "as trained"  # the option of a menu of recipes


def _choose_side(
    designs: Mapping[str, Side], info: DatasetInfo, letter: str, *, has_recipe: bool
) -> Side | None:
    """Show the menus of one side; return it fitted to the dataset, or None if it does not fit."""
    key = f"compare_{letter}"
    if st.session_state.get(key) not in designs:
        st.session_state[key] = _default_labels(designs, info)["AB".index(letter)]
    labels = list(designs)
    place = labels.index(st.session_state[key])
    label = st.selectbox(f"Design {letter}", labels, place, key=key, persist_state="session")
    side = designs[label]
    try:
        spec = adapt(side.spec, info.in_size, len(info.classes))
    except CnnlibError as error:
        show_error(error)
        return None
    costs = cost(plan(spec))
    params, macs = short_count(costs.params), short_count(costs.macs)
    st.caption(f"{params} parameters, {macs} MACs per picture")
    side = replace(side, spec=spec)
    if not has_recipe:
        st.caption("Trained with the recipe of A.")
        return side
    first = {_AS_TRAINED: "As it was trained"} if side.trained else {}
    menu_key = f"compare_recipe_{letter}"
    if st.session_state.get(menu_key) == _AS_TRAINED and not first:
        del st.session_state[menu_key]
    name = recipe_menu("For this design and dataset", key=menu_key, first=first)
    own = side.trained if name == _AS_TRAINED else None
    recipe = own or recipe_by_name(name, spec, info)
    st.caption(escape_markdown(describe_recipe(recipe)))
    return replace(side, recipe=recipe)


def _default_labels(designs: Mapping[str, Side], info: DatasetInfo) -> tuple[str, str]:
    """Return the first two designs that the form proposes: those at hand, else two that differ.

    The design of this session or the best results come first, then the preset for the dataset and
    a larger one. Of two designs that have a verdict already, the better one meets the next preset.
    """
    best: dict[CNNSpec, str] = {}  # of each design its best result
    for label, side in designs.items():
        if side.trained:
            best.setdefault(side.spec, label)
    results = list(best.values())
    own = [label for label in designs if label == _YOURS]
    small, large = ("lenet5", "cnn3") if info.in_size[0] == 1 else ("three_layer", "cifar_fast")
    usual = [label for name in (small, large) for label in designs if designs[label].preset == name]
    presets_first = [label for label in usual if label not in results]
    a, b, *others = dict.fromkeys([*own, *results[:2], *presets_first, *designs])
    winners = _winners(info.name)
    spec = _fitted(designs[a].spec, info)
    found = frozenset({spec, _fitted(designs[b].spec, info)})
    if found not in winners:
        return a, b
    if winners[found] != spec:
        a, spec = b, winners[found]
    for label in others:
        other = _fitted(designs[label].spec, info)
        is_preset = bool(designs[label].preset) and designs[label].trained is None
        if is_preset and other not in (spec, None) and frozenset({spec, other}) not in winners:
            return a, label
    return a, b


def _fitted(spec: CNNSpec, info: DatasetInfo) -> CNNSpec | None:
    """Return a design fitted to the dataset; None if it does not fit."""
    try:
        return adapt(spec, info.in_size, len(info.classes))
    except CnnlibError:
        return None


def _winners(dataset: str) -> dict[frozenset[CNNSpec | None], CNNSpec]:
    """Return the better design of each two that have a verdict on a dataset; A if none is."""
    store = run_store()
    found: dict[frozenset[CNNSpec | None], CNNSpec] = {}
    for each in studies.find_all(store, ["duel"]):
        if each.state == studies.DONE and each.body["a"]["dataset"] == dataset:
            state = duel_state(store, each.id)
            a, b = state.duel.a.spec, state.duel.b.spec
            found[frozenset({a, b})] = b if state.verdict.outcome == "b" else a
    return found


def length_fields(page: str) -> tuple[int | None, int | None]:
    """Show the fields of the epochs and of the training pictures; None where one is empty."""
    epochs = whole_number_input(
        "Epochs", 1, 1000, placeholder="from the recipe", key=f"{page}_epochs"
    )
    limit = whole_number_input(
        "Training pictures", 1, step=1000, placeholder="all", key=f"{page}_limit"
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


def duel_form() -> tuple[Side, Side] | None:
    """Show the form of a duel, and start it; return the chosen sides, or None if one fails."""
    st.header("Which of two designs is better?")
    info = choose_info()
    sides = choose_sides(known_designs(), info)
    if sides is None:
        return None
    with st.expander("More settings of the duel", icon=":material/tune:"), st.grid(3):
        epochs, limit = length_fields("compare")
        most_pairs = whole_number_input(
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
    prediction = st.segmented_control(
        "What do you expect? (optional)",
        PREDICTIONS[1:],
        format_func={
            "a": f"{sides[0].name} is better",
            "same": "both are equal",
            "b": f"{sides[1].name} is better",
        }.__getitem__,
        key="compare_prediction",
    )
    a, b = (_request(side, info, epochs, limit) for side in sides)
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(
            "Start the duel", type="primary", icon=":material/balance:", key="compare_start"
        )
        fragment(_show_duration)(a, b, most_pairs)
    if pressed:
        with errors_shown():
            duel = Duel(
                *(a, b, sides[0].name, sides[1].name),
                most_pairs=most_pairs,
                within=within / 100,
                on=split,
                prediction=prediction or "",
            )
            open_section("duel", start_duel(run_store(), duel))
            st.rerun()
    return sides


def _request(side: Side, info: DatasetInfo, epochs: int | None, limit: int | None) -> RunRequest:
    """Return the request of one side, with the fields of the form that are not empty."""
    recipe = side.recipe or default_recipe(side.spec, info.name, info.train_count)
    recipe = replace(recipe, epochs=epochs) if epochs else recipe
    return RunRequest(side.spec, recipe, info.name, train_limit=limit, preset=side.preset)


def _show_duration(a: RunRequest, b: RunRequest, most_pairs: int) -> None:
    """Show the size of the duel, once the viewer has timed a step of both designs."""
    st.caption(_describe_duration(a, b, most_pairs))


def _describe_duration(a: RunRequest, b: RunRequest, most_pairs: int) -> str:
    """Say how many pairs the duel trains, and how long that takes."""
    earliest = first_verdict(most_pairs) or most_pairs
    start = f"{earliest} to {plural(most_pairs, 'pair')} with the same seeds"
    try:
        short, long = (
            duration_of([a, b], pairs, folders(), training_step_seconds)
            for pairs in (earliest, most_pairs)
        )
    except ViewerError:
        raise
    except CnnlibError:  # the button says what is wrong
        return f"{start}. It ends as soon as the result is clear."
    times = " to ".join(dict.fromkeys(format_time(each.seconds) for each in (short, long)))
    return f"{start}: about {times}. It ends as soon as the result is clear."

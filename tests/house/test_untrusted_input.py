"""Untrusted input gives a valid value or one of the lab's own errors, never another exception.

Hypothesis draws nearly valid values, which the byte-changing fuzzers of ``tests/fuzz`` hardly ever
reach, and shrinks a failing one to the smallest.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from example_runs import a_request
from fuzz import mutate
from fuzz.design_fuzzers import is_a_sentence
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sample_data import prepared_now

from cnnlib.compare.columns import Column, column
from cnnlib.data.drawings import collection_name
from cnnlib.data.image_folder.sources import FolderSource
from cnnlib.data.paths import folder_name
from cnnlib.data.prepared import INFO_FILE, Prepared, open_prepared
from cnnlib.design.link import _FIELDS, decode, encode
from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import CnnlibError, DataError, RecipeError, SettingsError, SpecError
from cnnlib.experiments.search import _distribution
from cnnlib.experiments.search_space import SETTINGS, combinations, read_range, read_values
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest, check_dataset_name
from cnnlib.records.settings import Settings
from cnnlib.vocabulary.layers import ACTIVATIONS

if TYPE_CHECKING:
    from collections.abc import Callable

few = settings(max_examples=60)
NESTED = json.loads("[" * 700 + "]" * 700)  # close to the deepest nesting that json can read


def result_or_error(kind: type[CnnlibError], make: Callable[[], Any]) -> Any:
    """Return the result of `make`; None if it raises `kind`, whose message must be a sentence."""
    try:
        return make()
    except kind as error:
        is_a_sentence(error)
        return None


def json_round_trip(values: Any) -> Any:
    return json.loads(json.dumps(values, allow_nan=False))


numbers = (
    st.integers(-2, 70) | st.sampled_from([10**15, 10**400]) | st.floats() | st.sampled_from([0, 1])
)
words = st.sampled_from(
    ["same", "batch", "residual", "bottleneck", "stride", "avg", "gap", "elu", "lrelu", *SETTINGS]
)
plain = st.none() | st.booleans() | numbers | words | st.text(max_size=8)
values = plain | st.lists(plain, max_size=4) | st.dictionaries(words, plain, max_size=3)


def with_changed_fields(valid: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw the valid object with a few fields, known or unknown ones, set to any value."""
    changes = st.dictionaries(st.sampled_from([*valid, "another"]), values, max_size=4)
    return changes.map(lambda given: valid | given)


# -- designs ---------------------------------------------------------------------------------------

SPEC = CNNSpec(channels=(4, 8), block="residual", norm="batch", activation="elu").to_dict()


@few
@given(with_changed_fields(SPEC) | values)
def test_a_design_from_json(given_values):
    spec = result_or_error(SpecError, lambda: CNNSpec.from_dict(given_values))
    if spec is not None:
        assert CNNSpec.from_dict(json_round_trip(spec.to_dict())) == spec
        assert decode(encode(spec)) == spec
        result_or_error(SpecError, lambda: plan(spec))


@pytest.mark.parametrize("values", [{"channels": NESTED}, {"in_size": [NESTED, 1, 1]}, NESTED])
def test_lists_in_lists_in_lists_are_no_design(values):
    with pytest.raises(SpecError) as raised:
        CNNSpec.from_dict(values)
    is_a_sentence(raised.value)


entries = st.from_regex(r"[0-9]{1,3}(x[0-9]{1,3})?|same|-|~|\.|k3|s2|nobias|pool", fullmatch=True)
parameters = [each.name for activation in ACTIVATIONS.values() for each in activation.params]
link_values = st.lists(entries | words | st.sampled_from(parameters) | st.text(max_size=3))
parts = st.tuples(st.sampled_from([*_FIELDS, "other", ""]), link_values)


@few
@given(st.lists(parts.map(lambda part: f"{part[0]}.{'-'.join(part[1])}"), max_size=5))
@example(["ch.9x999999999"])
@example(["drop.nan"])
def test_a_link_of_the_address_bar(texts):
    spec = result_or_error(SpecError, lambda: decode("~".join(["1", *texts])))
    if spec is not None:
        assert decode(encode(spec)) == spec


# -- requests --------------------------------------------------------------------------------------


@few
@given(with_changed_fields(Recipe().to_dict()) | values)
@example({"lr": 10**400})
def test_a_recipe_from_json(given_values):
    recipe = result_or_error(RecipeError, lambda: Recipe.from_dict(given_values))
    if recipe is not None:
        assert Recipe.from_dict(json_round_trip(recipe.to_dict())) == recipe


def test_lists_in_lists_in_lists_are_no_recipe():
    with pytest.raises(RecipeError, match=r"epochs is \[\[...\]\], but"):
        Recipe.from_dict({"epochs": NESTED})


@few
@given(
    with_changed_fields(a_request().to_dict() | {"origin": {"run_id": "a1", "step": 3}}) | values
)
@example(a_request().to_dict() | {"origin": {"run_id": [], "step": "x"}})
@example(a_request().to_dict() | {"origin": {"run_id": "../../etc", "step": 1}})
def test_a_request_from_json(given_values):
    request = result_or_error(CnnlibError, lambda: RunRequest.from_dict(given_values))
    if request is not None:
        assert RunRequest.from_dict(json_round_trip(request.to_dict())) == request
        hash(request)  # the results table needs a hashable request


@few
@given(st.text(max_size=110) | st.text(max_size=110).map("folder:".__add__))
@example("folder:\ud800")
@example("folder:" + "é" * 100)
def test_the_name_of_a_dataset(name):
    result_or_error(RecipeError, lambda: check_dataset_name(name))
    try:
        check_dataset_name(name)
    except RecipeError:
        return
    root = Path("/root")
    assert (root / name.removeprefix("folder:")).parent == root
    assert (root / folder_name(name)).parent == root
    check_dataset_name(collection_name(name, "owner"))


# -- experiments, tables, settings -----------------------------------------------------------------

typed = st.text(max_size=12) | st.lists(values, max_size=3).map(str) | numbers.map(str)


@few
@given(st.sampled_from(SETTINGS), typed)
@example("channels", "1.5")
@example("P", "L/" + "9" * 5000)
@example("lr", '{"a":' * 5000)
def test_settings_of_an_experiment(name, text):
    combined = result_or_error(
        RecipeError, lambda: combinations(a_request(), {name: read_values(text)})
    )
    for each in combined or ():
        assert (each.request is None) == bool(each.reason)


@few
@given(typed | st.tuples(numbers, numbers).map(lambda ends: f"{ends[0]}..{ends[1]}:log"))
@example("NaN..1")
@example("-Infinity..1")
@example("1..Infinity")
def test_the_range_of_a_search(text):
    pytest.importorskip("optuna")
    result_or_error(RecipeError, lambda: _distribution("lr", read_range(text)))


@few
@given(st.text(max_size=20).map("seconds_to_".__add__) | words)
@example("seconds_to_²")
@example("seconds_to_" + "9" * 400)
def test_the_name_of_a_column(name):
    found = result_or_error(RecipeError, lambda: column(name))
    assert found is None or isinstance(found, Column)


@pytest.fixture(scope="module")
def places(tmp_path_factory) -> Folders:
    folder = tmp_path_factory.mktemp("untrusted")
    folders = Folders(data=folder / "data", runs=folder / "runs")
    folders.runs.mkdir()
    return folders


sections = st.sampled_from(["class", "person", "machine", "other"])
keys = st.sampled_from(["on", "sign_in", "runs_waiting", "pause_minutes", "disk_mb", "other"])
toml = st.dictionaries(sections, st.dictionaries(keys, numbers | st.booleans(), max_size=3))


@few
@given(toml)
@example({"machine": {"pause_minutes": 10**400}})
def test_a_file_of_settings(places, tables):
    lines = []
    for section, entries in tables.items():
        lines += [f"[{section}]", *(f"{key} = {str(v).lower()}" for key, v in entries.items())]
    (places.runs / "cnnlab.toml").write_text("\n".join(lines))
    result_or_error(SettingsError, lambda: Settings.read(places))


# -- the record of a prepared dataset --------------------------------------------------------------


@pytest.fixture(scope="module")
def digits(places) -> Prepared:
    return prepared_now("digits", places)


@few
@given(st.integers(0, 10**6))
def test_the_record_of_a_prepared_dataset(digits, seed):
    record = digits.folder / INFO_FILE
    valid = record.read_bytes()
    try:
        record.write_text(json.dumps(mutate.in_json(Random(seed), json.loads(valid))))
        result_or_error(DataError, lambda: open_prepared("digits", digits.folder))
    finally:
        record.write_bytes(valid)


@few
@given(values, values)
@example("directory", {"folders": {"a\0b": 1}})
def test_the_recorded_state_of_a_folder_dataset(places, kind, folders):
    source = FolderSource("folder:x", places.data, "directory", uploaded=False)
    assert source.matches_state({"kind": kind, "folders": folders}) in (True, False)

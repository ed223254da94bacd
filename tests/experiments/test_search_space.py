"""Settings that are varied: what each takes, and searches that find no valid design."""

from dataclasses import replace

import pytest
from compare_runs import a_store
from example_runs import a_request

from cnnlib.design.spec import CNNSpec, Stem
from cnnlib.experiments.grid import experiment_state
from cnnlib.experiments.search import start_search
from cnnlib.experiments.search_space import combinations, read_values, with_settings
from cnnlib.experiments.study import advance_studies


def test_none_is_nothing_for_a_stem_and_a_stride():
    base = replace(a_request(), spec=CNNSpec(channels=(4,), stem=Stem(4), pool_stride=3))
    spec = with_settings(base, {"stem": None, "pool_stride": None}).spec
    assert (spec.stem, spec.pool_stride) == (None, None)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"channels": [1.5]}, "channels[0] is 1.5, but it must be a whole number"),
        ({"K": [8], "L": [10**12]}, "L is 1000000000000, but"),
        ({"P": ["L/" + "9" * 5000]}, "P='L/9999"),
    ],
)
def test_a_value_that_no_design_takes_is_a_combination_with_its_reason(settings, reason):
    [found] = combinations(a_request(), settings)
    assert found.request is None and found.reason.startswith(reason)


def test_a_search_without_a_valid_design_ends_with_a_sentence(tmp_path, store_address):
    store = a_store(tmp_path, store_address)
    space = {"L": {"choices": [9, 10]}, "K": {"choices": [[4]]}, "P": {"choices": [1]}}
    plan_id = start_search(store, a_request(), space, trials=4)
    state = experiment_state(store, plan_id)
    assert (state.state, state.trials, len(state.invalid)) == ("stopped", (), 50)
    assert state.problem.startswith(
        "The search ended, because none of 50 proposals is a valid design"
    )
    advance_studies(store)
    assert len(experiment_state(store, plan_id).invalid) == 50  # it does not go on for ever
    store.close()


def test_kernel_sizes_that_are_not_square_can_be_varied():
    base = replace(a_request(), spec=CNNSpec(channels=(4, 4)))
    sizes = read_values("3, 3x5, [3x5, 3], 3x")
    tried = combinations(base, {"kernel_size": sizes})
    found = [each.request.spec.kernel_size for each in tried if each.request]
    assert found == [3, ((3, 5), (3, 5)), ((3, 5), 3)]
    assert "'3x', but the size of a window" in tried[-1].reason

"""Tests of the state of the Lab page: its address, undo, another dataset, its requests."""

from dataclasses import replace

import pytest

from cnnlib.data.catalogue import dataset_info
from cnnlib.design.plan import plan
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import CnnlibError, RecipeError, SpecError
from cnnlib.ui.lab.state import LabState, changed_recipe, epochs_begun

DIGITS = dataset_info("digits")
CIFAR = dataset_info("cifar10")
SPEC = CNNSpec(channels=(5, 7), hidden_dims=(9,))


def test_a_first_visit_has_a_network_that_fits():
    state = LabState.initial(DIGITS)
    assert plan(state.spec).spec.in_size == DIGITS.in_size
    assert state.sketch_request().recipe.schedule == "constant"


def test_an_address_restores_design_recipe_seed_and_picture():
    state = replace(
        LabState.initial(DIGITS).with_spec(SPEC),
        seed=3,
        picture=17,
        recipe=changed_recipe(LabState.initial(DIGITS).recipe, {"lr": 0.01, "optimizer": "sgd"}),
    )
    found = LabState.from_address(state.address(DIGITS), DIGITS)
    assert found == replace(state, past=())


@pytest.mark.parametrize(
    "params", [{"design": "?"}, {"recipe": "x"}, {"picture": "-1"}, {"seed": "1e3"}]
)
def test_a_damaged_address_is_an_error_with_a_sentence(params):
    with pytest.raises(CnnlibError):
        LabState.from_address(params, DIGITS)


def test_undo_and_redo_follow_the_designs():
    first = LabState.initial(DIGITS)
    second = first.with_spec(SPEC)
    assert second.with_spec(SPEC).past == second.past
    assert second.undone().spec == first.spec
    assert second.undone().redone().spec == SPEC
    assert first.undone() == first and first.redone() == first
    assert second.undone().with_spec(replace(SPEC, channels=(1,))).future == ()


def test_a_state_without_steps_takes_those_that_the_browser_kept():
    state = LabState.initial(DIGITS)
    other = replace(SPEC, channels=(1,))
    found = state.with_steps([SPEC], [other])
    assert (found.undone().spec, found.redone().spec) == (SPEC, other)
    assert found.with_steps([other], []) == found


def test_steps_whose_layers_do_not_fit_are_an_error():
    with pytest.raises(SpecError):
        LabState.initial(DIGITS).with_steps([CNNSpec(channels=(4,), kernel_size=99)], [])


def test_an_address_is_a_step_from_the_design_before_and_going_back_undoes_it():
    first = LabState.initial(DIGITS)
    second = first.with_spec(SPEC)
    assert LabState.initial(DIGITS).with_steps_of(second) == second.undone()
    opened = replace(first, spec=SPEC).with_steps_of(first)
    assert opened.past == (first.spec,)
    assert LabState.initial(CIFAR).with_steps_of(second).past == ()


def test_another_dataset_takes_the_design_with_it():
    state = LabState.initial(DIGITS).with_spec(SPEC).with_dataset(CIFAR)
    assert (state.spec.in_size, state.spec.channels) == ((3, 32, 32), (5, 7))
    assert state.recipe.augmentation.flip


def test_a_clean_run_has_the_epochs_of_the_sketch_and_its_settings():
    state = replace(LabState.initial(DIGITS), seed=4)
    request = state.clean_request(3)
    assert (request.recipe.epochs, request.seed, request.origin) == (3, 4, None)
    assert request.recipe.lr == state.recipe.lr
    assert state.clean_request(0).recipe.epochs == 1
    assert (epochs_begun(1, 40), epochs_begun(40, 40), epochs_begun(41, 40)) == (1, 1, 2)


def test_momentum_comes_with_the_optimisers_that_have_it():
    recipe = LabState.initial(DIGITS).recipe
    assert changed_recipe(recipe, {"optimizer": "nesterov"}).momentum > 0
    with pytest.raises(RecipeError, match="cannot be changed here"):
        changed_recipe(recipe, {"epochs": 3})

"""Tests of the predefined recipes: the defaults of presets and datasets, and the named ones."""

from dataclasses import replace

import pytest
from tiny import SPEC, collect_events, tiny_prepared, tiny_request

from cnnlib.design.presets import preset, presets
from cnnlib.records.recipe import Augmentation
from cnnlib.records.recipe_presets import RECIPES, default_preset, default_recipe

COUNTS = {"digits": 1437, "mnist": 60_000, "cifar10": 50_000, "folder:cats": 40}


@pytest.mark.parametrize("dataset", COUNTS)
@pytest.mark.parametrize("name", [preset.name for preset in presets()])
def test_every_preset_and_dataset_has_a_default_recipe(name, dataset):
    recipe = default_recipe(preset(name).spec, dataset, COUNTS[dataset])
    assert 1 <= recipe.epochs <= 30 and recipe.lr > 0


def test_a_small_dataset_is_passed_over_often_and_less_often_by_a_heavy_network():
    light, heavy = (preset(name).spec for name in ("lenet5", "resnet20"))
    # 30,000 pictures are about 21 times 1,437. 41 million operations are 2.05 times 20 million, so
    # a heavy network sees 30,000 / 2.05 ** 0.5 pictures, about 15 times 1,437.
    assert default_recipe(light, "digits", 1437).epochs == 21
    assert default_recipe(heavy, "digits", 1437).epochs == 15
    assert default_recipe(light, "mnist", 60_000).epochs == 3


def test_a_few_hundred_pictures_get_thirty_epochs_at_most():
    small, larger = (
        default_recipe(preset("mnist_fast").spec, "folder:own", n) for n in (300, 2000)
    )
    assert (small.epochs, larger.epochs) == (30, 15)  # 30,000 / 2,000


def test_the_default_network_is_for_the_channels_of_the_pictures():
    assert [default_preset((1, 28, 28)), default_preset((3, 64, 64))] == [
        "mnist_fast",
        "cifar_fast",
    ]


def test_a_preset_with_a_tuned_recipe_gets_it_on_a_large_dataset():
    spec = preset("mnist_fast").spec
    assert default_recipe(spec, "mnist", 60_000) == RECIPES["fast99"].recipe
    assert default_recipe(spec, "digits", 1437).epochs > 10


def test_digits_are_neither_mirrored_nor_shifted():
    spec = preset("lenet5").spec
    assert default_recipe(spec, "mnist", 60_000).augmentation == Augmentation()
    assert default_recipe(spec, "cifar10", 50_000).augmentation.flip


def test_a_default_recipe_learns():
    recipe = replace(default_recipe(SPEC, "folder:tiny", 90), epochs=10)
    request = replace(tiny_request(), recipe=recipe)
    assert collect_events(request, tiny_prepared())[-1].test.accuracy == 1.0


def test_the_course_texts_recipes_say_what_they_are():
    for recipe in RECIPES.values():
        assert recipe.title and recipe.source.endswith(".")
    assert RECIPES["mnist-sgd"].recipe.optimizer == "sgd"
    assert RECIPES["cifar-nesterov"].recipe.momentum == 0.9

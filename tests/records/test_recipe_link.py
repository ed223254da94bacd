"""Tests of the recipe in the address of the Train page."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlib.errors import RecipeError
from cnnlib.records.recipe import Augmentation, Recipe
from cnnlib.records.recipe_link import decode_recipe, encode_recipe
from cnnlib.records.recipe_presets import RECIPES
from cnnlib.vocabulary.training import CLASS_BALANCES, OPTIMIZERS, SCHEDULES

recipes = st.builds(
    Recipe,
    epochs=st.integers(0, 10_000),
    optimizer=st.sampled_from(list(OPTIMIZERS)),
    schedule=st.sampled_from(list(SCHEDULES)),
    lr=st.floats(0, 1e6),
    label_smoothing=st.floats(0, 0.99),
    patience=st.none() | st.integers(1, 100),
    restore_best=st.booleans(),
    class_balance=st.sampled_from(list(CLASS_BALANCES)),
    clip_grad_norm=st.none() | st.floats(1e-6, 1e6),
    augmentation=st.builds(Augmentation, flip=st.booleans(), shift=st.integers(0, 64)),
)


@given(recipes)
def test_a_recipe_survives_its_link(recipe):
    link = encode_recipe(recipe)
    assert decode_recipe(link) == recipe
    assert set(link) <= set(string.ascii_letters + string.digits + "-._~+")


@pytest.mark.parametrize("name", RECIPES)
def test_every_named_recipe_survives_its_link(name):
    recipe = RECIPES[name].recipe
    assert decode_recipe(encode_recipe(recipe)) == recipe


def test_links_of_version_1_stay_readable():
    """The defaults of version 1: a change of any of them needs a version 2."""
    assert decode_recipe("1") == Recipe(
        epochs=5,
        batch_size=128,
        optimizer="adamw",
        lr=1e-3,
        momentum=0.9,
        weight_decay=0.0,
        decay_norm_and_bias=False,
        schedule="constant",
        step_epochs=10,
        step_factor=0.1,
        warmup=0.25,
        label_smoothing=0.0,
        clip_grad_norm=None,
        patience=None,
        restore_best=True,
        max_batches=None,
        augmentation=Augmentation(flip=False, shift=0, cutout=0),
        test_each_epoch=False,
        class_balance="none",
    )


@pytest.mark.parametrize(
    "link", ["", "2~lr.1", "1~lr", "1~lr.x", "1~nothing.1", "1~lr.1~lr.2", "1~flip.2", "1" * 2000]
)
def test_a_damaged_link_is_a_sentence(link):
    with pytest.raises(RecipeError, match="does not describe a recipe"):
        decode_recipe(link)


def test_a_value_out_of_range_is_a_sentence():
    with pytest.raises(RecipeError, match="epochs is 99999"):
        decode_recipe("1~epochs.99999")

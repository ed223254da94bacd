"""Tests of records: accepted and refused values, error messages, and conversion to JSON."""

import json

import pytest

from cnnlib.design.spec import CNNSpec
from cnnlib.errors import RecipeError
from cnnlib.records.recipe import Augmentation, Recipe
from cnnlib.records.run import Origin, RunRequest


def request(**changes):
    """A small valid request, changed."""
    spec = CNNSpec(in_size=(1, 28, 28), out_classes=10, channels=(6, 16), pool_every=1)
    return RunRequest(**{"spec": spec, "recipe": Recipe(), "dataset": "digits"} | changes)


def test_a_recipe_survives_json():
    recipe = Recipe(epochs=3, optimizer="nesterov", augmentation=Augmentation(flip=True, shift=4))
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_a_request_survives_json():
    original = request(origin=Origin("r1", step=12, weights_only=True), validation=1000)
    assert RunRequest.from_dict(json.loads(json.dumps(original.to_dict()))) == original


def test_zero_and_nought_point_nought_are_one_recipe_in_json_too():
    whole, pointed = Recipe(lr=1, weight_decay=0), Recipe(lr=1.0, weight_decay=0.0)
    assert json.dumps(whole.to_dict()) == json.dumps(pointed.to_dict())


def test_a_recipe_saved_before_a_field_existed_takes_its_default():
    assert Recipe.from_dict({"epochs": 2}).label_smoothing == 0.0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"epochs": -1}, "epochs"),
        ({"epochs": True}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"optimizer": "sdg"}, "optimizer"),
        ({"optimizer": ["sgd"]}, "optimizer"),
        ({"lr": float("nan")}, "lr"),
        ({"lr": "fast"}, "lr"),
        ({"lr": 10**400}, "lr"),
        ({"momentum": 1.0}, "momentum"),
        ({"clip_grad_norm": 0}, "clip_grad_norm"),
        ({"decay_norm_and_bias": 1}, "decay_norm_and_bias"),
        ({"augmentation": {"flip": "yes"}}, "flip"),
        ({"augmentation": 5}, "augmentation"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(changes, field):
    with pytest.raises(RecipeError, match=f"^{field} is "):
        Recipe.from_dict(changes)


def test_a_field_that_a_record_does_not_have_is_refused_with_its_fields():
    with pytest.raises(RecipeError, match=r"no field 'learning_rate'. Its fields are: epochs, "):
        Recipe.from_dict({"learning_rate": 0.1})
    with pytest.raises(RecipeError, match=r"no field 'rotate'. Its fields are: flip, shift, "):
        Recipe.from_dict({"augmentation": {"rotate": 5}})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dataset", "minst"),
        ("dataset", ["mnist"]),
        ("dataset", "folder:../../etc"),
        ("dataset", "folder:.."),
        ("dataset", "folder:\ud800"),
        ("seed", -1),
        ("device", "tpu"),
        ("name", "x" * 121),
        ("name", 5),
        ("precision", "fp16"),
        ("compile", "no"),
        ("recipe", None),
        ("origin", "r1"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(field, value):
    with pytest.raises(RecipeError, match=f"^{field} (is|has) "):
        request(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("run_id", "../x"), ("run_id", ["r1"]), ("step", "x"), ("weights_only", 1)],
)
def test_an_origin_that_makes_no_sense_is_refused(field, value):
    origin = {"run_id": "r1", "step": 1, field: value}
    with pytest.raises(RecipeError, match=rf"^origin\.{field} is "):
        RunRequest.from_dict(request().to_dict() | {"origin": origin})


def test_a_request_names_what_is_missing():
    with pytest.raises(RecipeError, match=r"RunRequest needs spec, recipe, dataset"):
        RunRequest.from_dict({})


def test_a_record_is_read_from_an_object_only():
    with pytest.raises(RecipeError, match="The Recipe is .1, 2., but it must be a mapping"):
        Recipe.from_dict([1, 2])


def test_a_recipe_without_class_balance_is_written_as_before():
    assert "class_balance" not in Recipe().to_dict()
    assert Recipe.from_dict({"epochs": 2}).class_balance == "none"
    weighted = Recipe(class_balance="weights")
    assert Recipe.from_dict(weighted.to_dict()) == weighted


def test_the_training_loss_names_what_other_losses_do_not_have():
    assert Recipe().training_loss_terms == ()
    recipe = Recipe(label_smoothing=0.1, class_balance="weights")
    assert recipe.training_loss_terms == ("label smoothing", "class weights")

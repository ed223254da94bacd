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
    ("changes", "sentence"),
    [
        ({"epochs": -1}, r"epochs=-1 is not a whole number from 0 to 10,000"),
        ({"epochs": True}, r"epochs=True is not a whole number"),
        ({"batch_size": 0}, r"batch_size=0 is not a whole number from 1"),
        ({"optimizer": "sdg"}, r"optimizer='sdg' is not known. Choose one of: sgd, momentum"),
        ({"lr": float("nan")}, r"lr=nan is not a number from 0"),
        ({"lr": "fast"}, r"lr='fast' is not a number"),
        ({"lr": 10**400}, r"lr=a number of more than 15 digits is not a number from 0"),
        ({"momentum": 1.0}, r"momentum=1.0 is not a number from 0 to 0.9999"),
        ({"clip_grad_norm": 0}, r"clip_grad_norm=0 is not a number above 0"),
        ({"decay_norm_and_bias": 1}, r"decay_norm_and_bias=1 is neither true nor false"),
        ({"augmentation": {"flip": "yes"}}, r"flip='yes' is neither true nor false"),
        ({"augmentation": {"rotate": 5}}, r"Augmentation has no field 'rotate'.*flip, shift"),
        ({"augmentation": 5}, r"augmentation=5 is not"),
        ({"learning_rate": 0.1}, r"Recipe has no field 'learning_rate'. Known fields: epochs"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused_with_a_sentence(changes, sentence):
    with pytest.raises(RecipeError, match=sentence):
        Recipe.from_dict(changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"dataset": "minst"}, r"dataset='minst' is not known. Choose one of: digits, mnist"),
        ({"dataset": "folder:../../etc"}, r"dataset='folder:../../etc' is not known"),
        ({"dataset": "folder:.."}, r"dataset='folder:..' is not known"),
        ({"dataset": "folder:\ud800"}, r"dataset='folder:.*' is not known"),
        ({"seed": -1}, r"seed=-1 is not a whole number"),
        ({"device": "tpu"}, r"device='tpu' is not known. Choose one of: auto, cpu"),
        ({"name": "x" * 121}, r"name has 121 characters; the maximum is 120"),
        ({"name": 5}, r"name=5 is not text"),
        ({"precision": "fp16"}, r"precision='fp16'"),
        ({"compile": "no"}, r"compile='no' is neither true nor false"),
        ({"recipe": None}, r"recipe=None is not a Recipe"),
        ({"origin": "r1"}, r"origin='r1' is not"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_with_a_sentence(changes, sentence):
    with pytest.raises(RecipeError, match=sentence):
        request(**changes)


@pytest.mark.parametrize(
    ("origin", "sentence"),
    [
        ({"run_id": "../x", "step": 1}, r"origin.run_id='../x' is not the id of a run"),
        ({"run_id": ["r1"], "step": 1}, r"origin.run_id=\['r1'\] is not the id of a run"),
        ({"run_id": "r1", "step": "x"}, r"origin.step='x' is not a whole number"),
        ({"run_id": "r1", "step": 1, "weights_only": 1}, r"origin.weights_only=1 is neither"),
    ],
)
def test_an_origin_that_makes_no_sense_is_refused_with_a_sentence(origin, sentence):
    with pytest.raises(RecipeError, match=sentence):
        RunRequest.from_dict(request().to_dict() | {"origin": origin})


def test_a_request_names_what_is_missing():
    with pytest.raises(RecipeError, match=r"RunRequest needs spec, recipe, dataset"):
        RunRequest.from_dict({})


def test_a_record_is_read_from_an_object_only():
    with pytest.raises(RecipeError, match=r"needs a JSON object, but this is list"):
        Recipe.from_dict([1, 2])

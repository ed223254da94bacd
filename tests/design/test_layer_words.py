"""Names of layers in words."""

from dataclasses import replace
from random import Random

import pytest
from random_specs import random_spec

from cnnlib.design.layer_words import layer_in_words
from cnnlib.design.plan import plan
from cnnlib.design.presets import presets
from cnnlib.errors import SpecError
from cnnlib.probe.graph import steps


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("features.pool5", "the fifth pooling layer"),
        ("features.conv13", "the 13th convolution"),
        ("features.conv101", "the 101st convolution"),
        ("features.conv112", "the 112th convolution"),
        ("features.norm2", "the norm of the second convolution"),
        ("features.block22", "the 22nd block"),
        ("features.block3.main.conv2", "the second convolution of the third block"),
        ("features.block1.act", "the activation of the sum of the first block"),
        ("features.block2.shortcut.pad", "the shortcut of the second block"),
        ("features.stem_pool", "the pooling after the stem"),
        ("classifier.fc1", "the first linear layer"),
        ("classifier.drop1", "the dropout of the first linear layer"),
    ],
)
def test_a_name_is_put_in_words(name, words):
    assert layer_in_words(name) == words


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.name)
def test_no_two_layers_of_a_network_have_the_same_words(preset):
    spec = replace(preset.spec, dropout=0.1, hidden_dropout=0.1, norm="batch")
    planned = plan(spec)
    names = {layer.name for layer in (*planned.layers, *planned.walk(), *steps(planned))}
    assert len({layer_in_words(name) for name in names}) == len(names)


def test_no_error_of_a_plan_names_a_layer_as_code():
    messages = []
    random = Random(0)
    for _ in range(1000):
        try:
            plan(random_spec(random))
        except SpecError as error:
            messages.append(str(error))
    assert len(messages) > 50
    assert not [text for text in messages if "features." in text or "classifier." in text]

"""Layers and designs in words."""

import pytest

from cnnlib.design.plan import plan
from cnnlib.design.presets import preset, presets
from cnnlib.design.spec import CNNSpec
from cnnlib.figures.labels import (
    describe_design,
    kind_label,
    settings_label,
    shape_label,
    shape_text,
)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (CNNSpec(), "No convolutions, 1 × 28 × 28"),
        (CNNSpec(channels=(8,)), "One convolution of 8 channels, 1 × 28 × 28"),
        (
            preset("lenet5").spec,
            "2 convolutions of 6 to 16 channels, hidden 120, 84, 1 × 28 × 28",
        ),
        (
            preset("resnet20").spec,
            "Residual, 18 convolutions of 16 to 64 channels, batch norm, global average, "
            "3 × 32 × 32",
        ),
        (
            CNNSpec(channels=(8, 8), activation="gelu"),
            "2 convolutions of 8 channels, GELU, 1 × 28 × 28",
        ),
    ],
)
def test_a_design_in_a_few_words(spec, words):
    assert describe_design(spec) == words


def test_every_layer_of_every_preset_has_words():
    for entry in presets():
        for layer in plan(entry.spec).walk():
            assert kind_label(layer)
            assert shape_text(layer.out_shape) and shape_label(layer.out_shape)


def test_settings_are_told_where_the_kind_does_not_tell_them():
    spec = CNNSpec(
        channels=(4,),
        bias=False,
        dilation=2,
        norm="group",
        norm_groups=2,
        activation="lrelu",
        activation_params={"negative_slope": 0.2},
        dropout=0.25,
    )
    told = {layer.kind: settings_label(layer) for layer in plan(spec).walk()}
    assert told["conv2d"] == "stride 1, padding 2, dilation 2, no bias"
    assert told["norm"] == "2 groups"
    assert told["activation"] == "negative_slope = 0.2"
    assert told["dropout"] == "p = 0.25"
    assert told["pool"] == "stride 2"
    assert told["flatten"] == ""

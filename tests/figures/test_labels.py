"""Texts for layers and designs."""

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
    ("spec", "text"),
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
def test_the_description_of_a_design(spec, text):
    assert describe_design(spec) == text


def test_every_layer_of_every_preset_has_labels():
    for entry in presets():
        for layer in plan(entry.spec).walk():
            assert kind_label(layer)
            assert shape_text(layer.out_shape) and shape_label(layer.out_shape)


def test_settings_are_those_that_the_kind_does_not_include():
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
    labels = {layer.kind: settings_label(layer) for layer in plan(spec).walk()}
    assert labels["conv2d"] == "stride 1, padding 2, dilation 2, no bias"
    assert labels["norm"] == "2 groups"
    assert labels["activation"] == "negative_slope = 0.2"
    assert labels["dropout"] == "p = 0.25"
    assert labels["pool"] == "stride 2"
    assert labels["flatten"] == ""

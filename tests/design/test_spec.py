"""Specs: checks of the fields, and the round trip through JSON."""

import json
from dataclasses import replace

import pytest

from cnnlib.design.spec import CNNSpec, Stem
from cnnlib.errors import SpecError

RICH = CNNSpec(
    in_size=(3, 33, 17),
    out_classes=7,
    channels=(8, 12, 16),
    pool_every=2,
    hidden_dims=(30, 20),
    kernel_size=(3, 5, 1),
    stride=(1, 2, 1),
    padding=("same", 2, 0),
    dilation=(1, 1, 2),
    bias=(True, False, True),
    stem=Stem(4, kernel_size=7, stride=2, padding=3, bias=False, pool=True),
    block="plain",
    downsample="stride",
    activation="lrelu",
    activation_params={"negative_slope": 0.2},
    pooling="avg",
    pool_kernel_size=3,
    pool_stride=2,
    norm="group",
    norm_groups=2,
    norm_place="conv-act-norm",
    dropout=0.1,
    hidden_dropout=0.5,
    head="gap",
    init="he",
)


def test_every_field_survives_json():
    assert CNNSpec.from_dict(json.loads(json.dumps(RICH.to_dict()))) == RICH


def test_a_spec_can_be_hashed():
    assert hash(RICH) == hash(replace(RICH))


def test_missing_fields_take_their_default():
    assert CNNSpec.from_dict({"channels": [6, 16]}) == CNNSpec(channels=(6, 16))


def test_an_unknown_field_is_named_with_the_known_ones():
    with pytest.raises(SpecError, match="no field 'chanels'. Its fields are: in_size, out_classes"):
        CNNSpec.from_dict({"chanels": [6, 16]})


def test_an_unknown_field_of_the_stem_is_named():
    with pytest.raises(SpecError, match="stem has no field 'width'"):
        CNNSpec.from_dict({"stem": {"width": 3}})


def test_a_stem_needs_channels():
    with pytest.raises(SpecError, match="stem has no channels"):
        CNNSpec.from_dict({"stem": {"kernel_size": 3}})


def test_equal_entries_are_kept_as_one_value():
    assert CNNSpec(channels=(6, 16), kernel_size=(5, 5)) == CNNSpec(channels=(6, 16), kernel_size=5)


def test_an_empty_list_for_no_convolutions_is_the_default():
    assert CNNSpec(channels=(), kernel_size=()).kernel_size == 3


def test_each_gives_one_value_per_convolution():
    spec = CNNSpec(channels=(6, 16), kernel_size=5, padding=(0, "same"))
    assert spec.each("kernel_size") == (5, 5)
    assert spec.each("padding") == (0, "same")


def test_activation_parameters_equal_to_torchs_are_dropped():
    spec = CNNSpec(activation="lrelu", activation_params={"negative_slope": 0.01})
    assert spec == CNNSpec(activation="lrelu")


def test_a_pool_stride_equal_to_its_kernel_is_dropped():
    assert CNNSpec(pool_kernel_size=3, pool_stride=3) == CNNSpec(pool_kernel_size=3)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"in_size": (28, 28)}, "the size of a picture is three numbers"),
        ({"in_size": (1, 0, 28)}, r"in_size\[1\] \(height\) is 0"),
        ({"in_size": (1, 28, 1025)}, r"in_size\[2\] \(width\) is 1025"),
        ({"in_size": "28x28"}, "in_size is '28x28', but it must be a list"),
        ({"out_classes": 0}, "out_classes is 0, but it must be a whole number from 1"),
        ({"out_classes": True}, "out_classes is True"),
        ({"out_classes": 10.0}, "out_classes is 10.0"),
        ({"out_classes": "10"}, "out_classes is '10'"),
        ({"out_classes": None}, "out_classes is None"),
        ({"channels": 6}, "channels is 6, but it must be a list"),
        ({"channels": (6, -1)}, r"channels\[1\] is -1"),
        ({"channels": (10**9,)}, r"channels\[0\] is 1000000000, .* from 1 to 4,096"),
        ({"channels": (10**5000,)}, "a number of more than 15 digits"),
        ({"channels": (1,) * 201}, "channels has 201 entries, but at most 200 are allowed"),
        ({"pool_every": -1}, "pool_every is -1"),
        ({"hidden_dims": (0,)}, r"hidden_dims\[0\] is 0"),
        ({"kernel_size": 0}, "kernel_size is 0"),
        ({"kernel_size": {}}, "kernel_size is a mapping with 0 entries"),
        (
            {"channels": (6, 16), "stride": (1, 2, 1)},
            "stride has 3 entries, but the network has 2 convolutions",
        ),
        ({"padding": "valid"}, "padding is 'valid', but the only word allowed is \"same\""),
        ({"padding": -1}, "padding is -1"),
        ({"bias": 1}, "bias is 1, but it must be true or false"),
        ({"stem": 16}, "stem is 16, but it must be a mapping"),
        ({"block": "dense"}, "block is 'dense', .* plain, residual, bottleneck"),
        ({"activation": "swish"}, "activation is 'swish'"),
        ({"activation": ["relu"]}, r"activation is \['relu'\]"),
        ({"activation_params": {"slope": 1}}, "activation_params of relu has no field 'slope'"),
        ({"activation_params": 3}, "activation_params of relu is 3"),
        ({"activation_params": ("ab", ["x"])}, "activation_params of relu is"),
        ({"activation": "elu", "activation_params": {"alpha": "1"}}, "alpha is '1'"),
        ({"activation": "elu", "activation_params": {"alpha": float("nan")}}, "alpha is nan"),
        ({"dropout": 1.0}, "dropout is 1.0, but it must be a number from 0 to less than 1"),
        ({"dropout": True}, "dropout is True"),
        ({"pool_stride": 0}, "pool_stride is 0"),
        ({"norm": "weight"}, "norm is 'weight'"),
    ],
)
def test_the_error_for_a_wrong_value_names_field_value_and_rule(fields, message):
    with pytest.raises(SpecError, match=message):
        CNNSpec(**fields)


@pytest.mark.parametrize("given", ["3x5", "3 X 5", "3×5", ((3, 5),), [[3, 5]]])
def test_one_rectangle_is_for_all_convolutions(given):
    assert CNNSpec(channels=(4, 4), kernel_size=given).kernel_size == ((3, 5), (3, 5))


def test_a_square_may_be_written_as_a_rectangle():
    assert CNNSpec(channels=(4, 4), kernel_size="3x3").kernel_size == 3
    assert CNNSpec(channels=(4, 4), kernel_size=("5x3", 3)).kernel_size == ((5, 3), 3)


@pytest.mark.parametrize("text", ["3x", "x5", "3:5", "3", "", "3x5x7", "٣x٣"])
def test_text_that_is_no_height_and_width_is_refused(text):
    with pytest.raises(SpecError, match="kernel_size is .*, but the size of a window is one"):
        CNNSpec(channels=(4, 4), kernel_size=text)


def test_a_rectangle_that_is_too_wide_names_the_side():
    with pytest.raises(SpecError, match=r"kernel_size\[0\] \(width\) is 99"):
        CNNSpec(channels=(4,), kernel_size=([3, 99],))


def test_no_groups_are_groups_of_the_default_length():
    assert CNNSpec(pool_every=()).pool_every == 1

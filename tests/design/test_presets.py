"""Every preset: plan, cost and network agree; parameter counts are those published."""

from dataclasses import replace

import pytest
import torch
from torch_counts import planned_counts, torch_counts

from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.design.presets import adapt, preset, presets
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import SpecError
from cnnlib.nets.model import build_model

NAMES = [preset.name for preset in presets()]

PARAMS = {
    "mlp": 79_510,
    "mlp_deep": 567_434,
    "lenet5": 106_154,
    "lenet5_1998": 61_706,
    "cnn3": 98_442,
    "conv_maxpool": 85_526,
    "conv_batchnorm": 77_918,
    "three_layer": 170_906,
    "three_layer_wide": 333_546,
    "resnet20": 272_474,
    "resnet20_a": 269_722,
    "resnet32": 464_154,
    # As resnet20, with as many norms in blocks but two: 2 x (32 + 64) fewer for its shortcuts.
    "preact_resnet20": 272_282,
    # A block of 3x3 convolutions 3->64->16->64 with norms between and a 1x1 shortcut:
    # 1,792 + 128 + 9,232 + 32 + 9,280 + 192 = 20,656; three bottlenecks of
    # 1,040 + 32 + 2,320 + 32 + 1,088 = 4,512; 64 maps of 2 x 2 into ten classes: 2,570.
    "resnet_bottleneck": 36_762,
    "cifar_fast": 306_946,
    "mnist_fast": 23_354,
    "tiny99": 8_834,
}


def test_there_is_a_parameter_count_for_every_preset():
    assert list(PARAMS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_has_its_published_number_of_parameters(name):
    assert cost(plan(preset(name).spec)).params == PARAMS[name]


@pytest.mark.parametrize("name", NAMES)
def test_torch_counts_the_same_for_every_preset(name):
    planned = plan(preset(name).spec)
    assert planned_counts(planned, 2) == torch_counts(planned, 2)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("in_size", [(1, 28, 28), (3, 32, 32), (1, 8, 8), (3, 17, 40)])
def test_a_preset_adapts_to_other_images_and_classes(name, in_size):
    spec = preset(name).adapt(in_size, out_classes=7)
    assert build_model(spec, seed=0).eval()(torch.zeros(1, *in_size)).shape == (1, 7)


def test_adapting_changes_nothing_else_where_the_layers_fit():
    spec = preset("lenet5").spec
    assert adapt(spec, (3, 32, 32), 100) == replace(spec, in_size=(3, 32, 32), out_classes=100)


def test_adapting_repairs_layers_that_no_longer_fit():
    # Three poolings do not fit into 4 pixels: 4, 2, 1. Pooling after two convolutions does.
    assert adapt(preset("cnn3").spec, (1, 4, 4), 10).pool_every == 2


def test_adapting_to_no_classes_is_an_error():
    with pytest.raises(SpecError, match="out_classes is 0"):
        preset("lenet5").adapt((1, 28, 28), 0)


def test_the_error_for_an_unknown_preset_lists_the_known_ones():
    with pytest.raises(SpecError, match="no preset 'lenet'.*mlp, mlp_deep, lenet5"):
        preset("lenet")


def test_every_preset_has_a_title_a_description_and_a_source():
    for each in presets():
        assert each.title and each.source
        assert each.description.endswith(".") and len(each.description) <= 100


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_survives_json(name):
    spec = preset(name).spec
    assert CNNSpec.from_dict(spec.to_dict()) == spec

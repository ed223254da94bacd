"""`build_model`: names, seeds, and the initialisation of weights."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from random_specs import random_specs
from torch import nn

from cnnlib import CNNSpec, build_model, plan, preset
from cnnlib.vocabulary.layers import INITIALISATIONS


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return all(torch.equal(mine, theirs) for mine, theirs in pairs)


def test_every_module_has_the_name_of_its_layer():
    for spec in random_specs(30, seed=1):
        model = build_model(spec)
        childless = [n for n, module in model.named_modules() if not list(module.children())]
        empty = {n for n, module in model.named_modules() if isinstance(module, nn.Sequential)}
        leaves = [leaf.name for leaf in plan(spec).walk()]
        assert [name for name in childless if name not in empty] == leaves


def test_parameters_come_in_the_order_of_the_plan():
    for spec in random_specs(30, seed=2):
        sizes = [size for leaf in plan(spec).walk() for size in leaf.param_sizes]
        assert [parameter.numel() for parameter in build_model(spec).parameters()] == sizes


def test_a_plan_and_its_spec_build_the_same_network():
    spec = preset("lenet5").spec
    assert same_weights(build_model(spec, seed=0), build_model(plan(spec), seed=0))


def test_one_seed_gives_one_network_and_another_gives_another():
    spec = preset("lenet5").spec
    assert same_weights(build_model(spec, seed=1), build_model(spec, seed=1))
    assert not same_weights(build_model(spec, seed=1), build_model(spec, seed=2))


def test_a_seed_does_not_change_torchs_random_state():
    torch.manual_seed(9)
    build_model(preset("lenet5").spec, seed=1)
    after = torch.rand(3)
    torch.manual_seed(9)
    assert torch.equal(after, torch.rand(3))


def test_without_a_seed_weights_come_from_torchs_random_state():
    spec = preset("lenet5").spec
    torch.manual_seed(1)
    assert same_weights(build_model(spec), build_model(spec, seed=1))


def test_a_network_can_be_copied():
    model = build_model(preset("resnet20").spec, seed=0)
    assert same_weights(copy.deepcopy(model), model)


def test_the_names_of_the_weights_are_stable():
    # Snapshots are stored under these names: a change of one makes old runs unreadable.
    spec = CNNSpec(channels=(4, 4), pool_every=2, block="residual", norm="batch", last_norm=True)
    assert list(build_model(spec).state_dict())[:9] == [
        "features.block1.main.conv1.weight",
        "features.block1.main.conv1.bias",
        "features.block1.main.norm1.weight",
        "features.block1.main.norm1.bias",
        "features.block1.main.norm1.running_mean",
        "features.block1.main.norm1.running_var",
        "features.block1.main.norm1.num_batches_tracked",
        "features.block1.main.conv2.weight",
        "features.block1.main.conv2.bias",
    ]


# -- weight initialisation -------------------------------------------------------------------------

# One convolution of 16 -> 64 channels, 3x3: fan_in 144, fan_out 576; 9,216 weights, so the
# standard error of a deviation is 1 / sqrt(2 * 9,216), about 0.7 %.
WIDE = CNNSpec(in_size=(16, 8, 8), channels=(64,), pool_every=0)


def first_convolution(init: str) -> nn.Conv2d:
    return build_model(replace(WIDE, init=init), seed=0).features.conv1


@pytest.mark.parametrize(
    ("init", "deviation"),
    [
        ("default", 1 / math.sqrt(144) / math.sqrt(3)),  # uniform in +-a has deviation a / sqrt(3)
        ("he", math.sqrt(2 / 144)),
        ("xavier", math.sqrt(2 / (144 + 576))),  # a = sqrt(6 / (fan_in + fan_out))
        ("lecun", math.sqrt(1 / 144)),
    ],
)
def test_weights_have_the_deviation_of_their_initialisation(init, deviation):
    assert first_convolution(init).weight.std().item() == pytest.approx(deviation, rel=0.03)


def test_orthogonal_filters_are_orthonormal():
    filters = first_convolution("orthogonal").weight.flatten(1)  # 64 x 144
    torch.testing.assert_close(filters @ filters.T, torch.eye(64), rtol=0, atol=1e-5)


@pytest.mark.parametrize("init", [init for init in INITIALISATIONS if init != "default"])
def test_biases_are_zero_except_with_torchs_initialisation(init):
    assert first_convolution(init).bias.abs().max() == 0

"""CNN and ResNet, compared with the same networks built from torch's modules."""

import inspect

import pytest
import torch
from signatures import parameter_texts
from torch import nn

from cnnlib import CNN, ResidualBlock, ResidualBottleneckBlock, ResNet, SpecError


def assert_same_network(mine: nn.Module, by_hand: nn.Module, in_size: tuple[int, int, int]) -> None:
    """Check for equal parameters in the same order, and equal scores."""
    pairs = list(zip(mine.state_dict().values(), by_hand.state_dict().values(), strict=True))
    assert all(torch.equal(one, other) for one, other in pairs)
    x = torch.randn(3, *in_size)
    assert torch.equal(mine.eval()(x), by_hand.eval()(x))


# -- CNN -------------------------------------------------------------------------------------------


def test_a_cnn_is_the_network_made_by_hand_from_the_same_seed():
    torch.manual_seed(1)
    mine = CNN((3, 20, 24), 5, [8, 6, 4], 2, [12, 9], {"kernel_size": 3, "padding": 1}, "tanh")
    torch.manual_seed(1)
    by_hand = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.Tanh(),
        nn.Conv2d(8, 6, 3, padding=1),
        nn.Tanh(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 4, 3, padding=1),  # left over: no pool
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(4 * 10 * 12, 12),
        nn.Tanh(),
        nn.Linear(12, 9),
        nn.Tanh(),
        nn.Linear(9, 5),
    )
    assert_same_network(mine, by_hand, (3, 20, 24))


def test_conv_and_pooling_parameters_mean_the_same_as_in_torch():
    conv = {"kernel_size": 5, "stride": 2, "padding": 3, "dilation": 2, "bias": False}
    pool = {"kernel_size": 3, "stride": 1, "padding": 1}
    torch.manual_seed(2)
    mine = CNN((1, 30, 30), 4, [5], 1, [], conv, "elu", {"alpha": 0.5}, "avg", pool)
    torch.manual_seed(2)
    # (30 + 6 - 9) // 2 + 1 = 14; the pool keeps 14.
    by_hand = nn.Sequential(
        nn.Conv2d(1, 5, **conv),
        nn.ELU(alpha=0.5),
        nn.AvgPool2d(**pool),
        nn.Flatten(),
        nn.Linear(5 * 14 * 14, 4),
    )
    assert_same_network(mine, by_hand, (1, 30, 30))


def test_parameters_that_are_not_given_are_torchs_and_kernels_of_three_and_two():
    mine = CNN((1, 9, 9), 4, [5], 1, [])
    by_hand = nn.Sequential(
        nn.Conv2d(1, 5, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(5 * 3 * 3, 4)
    )
    by_hand.load_state_dict(
        dict(zip(by_hand.state_dict(), mine.state_dict().values(), strict=True))
    )
    assert_same_network(mine, by_hand, (1, 9, 9))


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("relu", nn.ReLU),
        ("lrelu", nn.LeakyReLU),
        ("tanh", nn.Tanh),
        ("sigmoid", nn.Sigmoid),
        ("elu", nn.ELU),
        ("gelu", nn.GELU),
        ("silu", nn.SiLU),
    ],
)
def test_every_activation_is_torchs(name, module):
    network = CNN((1, 8, 8), 2, [3], 1, [4], activation_type=name)
    assert [type(m) for m in network.modules() if isinstance(m, module)] == [module] * 2


def test_activation_none_leaves_the_activation_out():
    network = CNN((1, 8, 8), 2, [3], 0, [4], activation_type="none")
    assert [type(m) for m in network.features] == [nn.Conv2d]


def test_building_a_network_draws_only_the_weights_from_the_random_state():
    torch.manual_seed(5)
    CNN((1, 8, 8), 2, [3], 1, [])
    after_cnn = torch.rand(1)
    torch.manual_seed(5)
    nn.Conv2d(1, 3, 3)
    nn.Linear(27, 2)
    assert torch.equal(after_cnn, torch.rand(1))


def test_no_convolutions_make_a_multilayer_perceptron():
    assert sum(p.numel() for p in CNN((1, 28, 28), 10, [], 1, [100]).parameters()) == 79_510


# -- ResNet ----------------------------------------------------------------------------------------


def test_a_resnet_is_blocks_and_pools_and_a_left_over_block():
    torch.manual_seed(4)
    mine = ResNet(
        (3, 16, 16), 6, [8, 8, 4], 2, [7], batchnorm=True, dropout=0.1, activation_type="lrelu"
    )
    torch.manual_seed(4)
    block = {"batchnorm": True, "dropout": 0.1, "activation_type": "lrelu"}
    by_hand = nn.Sequential(
        ResidualBlock(3, [8, 8], [3, 3], **block),
        nn.MaxPool2d(2),
        ResidualBlock(8, [4], [3], **block),  # left over: no pool
        nn.Flatten(),
        nn.Linear(4 * 8 * 8, 7),
        nn.LeakyReLU(),
        nn.Linear(7, 6),
    )
    assert_same_network(mine, by_hand, (3, 16, 16))


def test_groups_that_return_to_their_channels_become_bottlenecks():
    torch.manual_seed(4)
    mine = ResNet((3, 16, 16), 6, [64, 16, 64] * 2 + [16, 64], 3, [], bottleneck=True)
    torch.manual_seed(4)
    by_hand = nn.Sequential(
        ResidualBlock(3, [64, 16, 64], [3, 3, 3]),  # 3 channels in, 64 out: stays plain
        nn.MaxPool2d(2),
        ResidualBottleneckBlock(64, [16], [3]),
        nn.MaxPool2d(2),
        ResidualBlock(64, [16, 64], [3, 3]),  # two convolutions: stays plain
        nn.Flatten(),
        nn.Linear(64 * 4 * 4, 6),
    )
    assert_same_network(mine, by_hand, (3, 16, 16))
    assert isinstance(mine.features.block2, ResidualBottleneckBlock)
    assert not isinstance(mine.features.block1, ResidualBottleneckBlock)


def test_a_block_uses_kernel_size_dilation_and_bias():
    params = {"kernel_size": 5, "dilation": 2, "padding": 4, "bias": False}
    conv = ResNet((3, 16, 16), 6, [8], 1, [], conv_params=params).features.block1.main.conv1
    assert str(conv) == str(nn.Conv2d(3, 8, 5, padding=4, dilation=2, bias=False))


# -- both ------------------------------------------------------------------------------------------


def test_the_signatures_are_those_of_the_course_texts():
    first = "in_size, out_classes, channels, pool_every, hidden_dims"
    last = (
        "conv_params, activation_type='relu', activation_params, pooling_type='max', pooling_params"
    )
    assert ", ".join(parameter_texts(CNN)) == f"{first}, {last}"
    own = "batchnorm=False, dropout=0.0, bottleneck=False"
    assert ", ".join(parameter_texts(ResNet)) == f"{first}, {own}, {last}"


@pytest.mark.parametrize("network", [CNN, ResNet])
@pytest.mark.parametrize("name", ["conv_params", "activation_params", "pooling_params"])
def test_default_mappings_are_empty_and_cannot_be_changed(network, name):
    default = inspect.signature(network).parameters[name].default
    assert default == {}
    with pytest.raises(TypeError):
        default["x"] = 1


ARGUMENTS = ((1, 12, 12), 3, [4, 4], 2, [])


@pytest.mark.parametrize("network", [CNN, ResNet])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"conv_params": {"groups": 2}}, "conv_params has no field 'groups'.*kernel_size, stride"),
        (
            {"conv_params": {"kernel_size": 4, "padding": "same", "stride": 2}},
            "with stride 2 .*needs an odd number|must have stride 1",
        ),
        ({"conv_params": [3]}, r"conv_params is \[3\], but it must be a mapping"),
        ({"pooling_params": {"ceil_mode": True}}, "pooling_params has no field 'ceil_mode'"),
        ({"pooling_type": "min"}, "pooling is 'min'"),
        ({"pooling_type": "avg", "pooling_params": {"dilation": 2}}, "only max pooling"),
        ({"pooling_params": {"kernel_size": 13}}, "covers 13 pixels"),
        ({"activation_type": "relu6"}, "activation is 'relu6'"),
        ({"activation_params": {"inplace": True}}, "no field 'inplace'"),
    ],
)
def test_an_unknown_or_impossible_parameter_is_an_error(network, options, message):
    with pytest.raises(SpecError, match=message):
        network(*ARGUMENTS, **options)


@pytest.mark.parametrize(
    ("conv_params", "message"),
    [
        ({"stride": 2}, "convolutions of a block must have stride 1"),
        ({"padding": 0}, "keeps the size only with padding 1"),
        ({"kernel_size": 2, "padding": 1}, "keeps the size only with padding 0"),
    ],
)
def test_a_parameter_that_a_block_does_not_allow_is_an_error(conv_params, message):
    with pytest.raises(SpecError, match=message):
        ResNet(*ARGUMENTS, conv_params=conv_params)

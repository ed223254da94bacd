"""The residual blocks, compared with blocks built by hand from torch modules."""

import inspect

import pytest
import torch
from signatures import parameter_texts
from torch import nn

from cnnlib import ResidualBlock, ResidualBottleneckBlock, SpecError


def describe_children(module: nn.Module) -> list[str]:
    """Return the texts of a module's children, in order."""
    return [str(child) for child in module.children()]


def test_a_block_is_dropout_norm_activation_between_convolutions_and_nothing_after():
    block = ResidualBlock(3, [8, 4], [3, 5], batchnorm=True, dropout=0.2, activation_type="lrelu")
    assert describe_children(block.main) == describe_children(
        nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.Dropout2d(0.2),
            nn.BatchNorm2d(8),
            nn.LeakyReLU(0.01),
            nn.Conv2d(8, 4, 5, padding=2),
        )
    )


def test_the_shortcut_is_a_1x1_convolution_without_bias_where_channels_differ():
    block = ResidualBlock(3, [8], [3])
    assert describe_children(block.shortcut) == describe_children(
        nn.Sequential(nn.Conv2d(3, 8, 1, bias=False))
    )


def test_the_shortcut_is_the_identity_where_channels_agree():
    x = torch.randn(2, 4, 5, 5)
    assert ResidualBlock(4, [9, 4], [3, 3]).shortcut(x) is x


def test_the_output_is_the_relu_of_the_sum():
    torch.manual_seed(0)
    block = ResidualBlock(3, [6, 5], [3, 3], activation_type="tanh")
    x = torch.randn(2, 3, 7, 9)
    by_hand = torch.relu(
        block.main[2](torch.tanh(block.main[0](x))) + block.shortcut[0](x),
    )
    torch.testing.assert_close(block(x), by_hand, rtol=0, atol=0)


def test_one_seed_gives_the_block_that_is_made_by_hand_main_path_first():
    torch.manual_seed(3)
    block = ResidualBlock(3, [6, 5], [3, 1])
    torch.manual_seed(3)
    by_hand = [nn.Conv2d(3, 6, 3), nn.Conv2d(6, 5, 1), nn.Conv2d(3, 5, 1, bias=False)]
    expected = [parameter for module in by_hand for parameter in module.parameters()]
    for mine, theirs in zip(block.parameters(), expected, strict=True):
        assert torch.equal(mine, theirs)


def test_a_block_does_not_change_its_input():
    x = torch.randn(2, 4, 5, 5)
    before = x.clone()
    ResidualBlock(4, [4], [3])(x).sum().backward()
    assert torch.equal(x, before)


def test_a_bottleneck_narrows_to_the_inner_channels_and_widens_again():
    block = ResidualBottleneckBlock(64, [16, 32], [3, 5])
    assert describe_children(block.main) == describe_children(
        nn.Sequential(
            nn.Conv2d(64, 16, 1),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 5, padding=2),
            nn.ReLU(),
            nn.Conv2d(32, 64, 1),
        )
    )
    assert len(block.shortcut) == 0


def test_the_signatures_are_those_of_the_course_texts():
    common = "batchnorm=False, dropout=0.0, activation_type='relu', activation_params"
    for block, own in (
        (ResidualBlock, "in_channels, channels, kernel_sizes"),
        (ResidualBottleneckBlock, "in_out_channels, inner_channels, inner_kernel_sizes"),
    ):
        assert ", ".join(parameter_texts(block)) == f"{own}, {common}"


@pytest.mark.parametrize("block", [ResidualBlock, ResidualBottleneckBlock])
def test_the_default_mapping_cannot_be_changed(block):
    default = inspect.signature(block).parameters["activation_params"].default
    with pytest.raises(TypeError):
        default["negative_slope"] = 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, [], []), "a residual block needs at least one convolution"),
        ((3, [8, 8], [3]), "kernel_size has 1 entry, but .* 2 convolutions"),
        ((0, [8], [3]), "channels.* is 0"),
        ((3, 8, 3), "channels is 8, but it must be a list"),
        ((3, [8], [3], True, 1.0), "dropout is 1.0"),
        ((3, [8], [3], True, 0.0, "swish"), "activation is 'swish'"),
        ((3, [8], [3], True, 0.0, "relu", {"slope": 1}), "no field 'slope'"),
    ],
)
def test_a_wrong_argument_of_a_block_is_an_error(arguments, message):
    with pytest.raises(SpecError, match=message):
        ResidualBlock(*arguments)


@pytest.mark.parametrize(
    ("inner_channels", "inner_kernel_sizes"), [([], []), ([16], [3, 3]), ([16, 16], [3])]
)
def test_a_bottleneck_needs_inner_convolutions_with_a_kernel_each(
    inner_channels, inner_kernel_sizes
):
    with pytest.raises(SpecError, match="a bottleneck needs at least one inner convolution"):
        ResidualBottleneckBlock(64, inner_channels, inner_kernel_sizes)

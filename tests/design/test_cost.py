"""Costs calculated by hand; `test_torch_agrees.py` compares them with torch."""

import pytest

from cnnlib.design.cost import Field, cost, receptive_fields
from cnnlib.design.plan import plan
from cnnlib.design.presets import preset
from cnnlib.design.spec import CNNSpec, Stem
from cnnlib.errors import SpecError

# 1x8x8 -> conv 4 (3x3, same) -> ReLU -> max pool -> 4x4x4 -> 64 features -> 10 classes.
SMALL = plan(CNNSpec(in_size=(1, 8, 8), channels=(4,)))
CONV_MACS = 4 * 8 * 8 * 1 * 9  # 2,304
LINEAR_MACS = 64 * 10


def test_macs_are_those_of_convolutions_and_linear_layers_without_bias():
    assert cost(SMALL).macs == CONV_MACS + LINEAR_MACS
    assert cost(SMALL).flops == 2 * (CONV_MACS + LINEAR_MACS)


def test_a_training_step_is_three_forward_passes_less_one_for_the_layer_fed_by_the_image():
    # 5 images; the convolution is computed twice, the linear layer three times.
    assert cost(SMALL, batch_size=5).training_step_flops == 5 * 2 * (
        2 * CONV_MACS + 3 * LINEAR_MACS
    )


def test_both_convolutions_of_a_first_block_are_fed_by_the_image():
    spec = CNNSpec(in_size=(1, 8, 8), channels=(4, 4), pool_every=2, block="residual", head="gap")
    first, second, shortcut, linear = 2_304, 4 * 64 * 36, 4 * 64, 4 * 10
    assert cost(plan(spec)).training_step_flops == 2 * (
        2 * first + 3 * second + 2 * shortcut + 3 * linear
    )


def test_bytes_equal_those_calculated_by_hand():
    total = cost(SMALL, batch_size=2, optimizer="adam")
    params = 4 * 9 + 4 + 640 + 10  # 690 in four tensors
    assert total.weight_bytes == 4 * params
    assert total.optimizer_bytes == 4 * (2 * params + 4)  # two moments, and four step counts
    # Saved: images (64), the convolution's output (256), the pool's indices (64, int64) and its
    # output (64), which the ReLU overwrites; the loss saves log-probabilities, labels, one weight.
    assert total.saved_bytes == 2 * (4 * 64 + 4 * 256 + 8 * 64 + 4 * 64) + 2 * (4 * 10 + 8) + 4


def test_the_peak_of_a_training_step_equals_that_calculated_by_hand():
    peak = cost(SMALL, batch_size=2, optimizer="adam").training_peak
    # The pool computes the gradient of its input (256) from that of its output (64), the
    # convolution's output (256) and the indices (64, int64); the logits (10) stay to the end.
    assert peak.moment == "backward pass of the first pooling layer"
    assert peak.parts == {
        "weights": 4 * 690,
        "optimizer": 4 * (2 * 690 + 4),
        "gradients": 4 * 650,
        "images": 2 * (4 * 64 + 8),
        "activations": 2 * (4 * 256 + 8 * 64 + 4 * 10),
        "activation_gradients": 2 * 4 * (64 + 256),
    }
    assert peak.bytes == sum(peak.parts.values())


def test_the_peak_of_an_evaluation_is_that_of_the_relu():
    peak = cost(SMALL, batch_size=2).evaluation_peak
    assert peak.moment == "forward pass of the activation of the first convolution"
    assert peak.parts == {
        "weights": 4 * 690,
        "images": 2 * (4 * 64 + 8),
        "activations": 2 * 4 * (256 + 256),
        "counts": 8 * 10 * 10,  # the confusion table
    }


def test_a_block_holds_its_input_both_paths_and_their_sum():
    spec = CNNSpec(in_size=(1, 8, 8), channels=(4,), pool_every=0, block="residual", head="gap")
    # One image: 64 values (the images), main path 256, shortcut 256, sum 256.
    assert cost(plan(spec)).evaluation_peak.parts["activations"] == 4 * 3 * 256


def test_buffers_are_counted_apart_from_the_parameters():
    total = cost(plan(CNNSpec(in_size=(1, 8, 8), channels=(4,), norm="batch")))
    assert total.params == 690 + 8
    assert total.buffers == 4 + 4 + 1  # running mean, running variance, number of batches
    assert total.weight_bytes == 4 * (698 + 8) + 8  # the number of batches is int64


def test_rows_add_up_to_the_total():
    total = cost(plan(preset("resnet20").spec), batch_size=3)
    assert sum(row.params for row in total.layers) == total.params
    assert sum(row.macs for row in total.layers) == total.macs
    assert sum(row.saved_bytes for row in total.layers) < total.saved_bytes  # that of the loss


@pytest.mark.parametrize("batch_size", [0, -1, True, 2.0, "8", 65_537, 10**20])
def test_a_batch_size_out_of_range_is_refused(batch_size):
    with pytest.raises(SpecError, match="it must be a whole number from 1 to 65,536"):
        cost(SMALL, batch_size=batch_size)


def test_the_error_for_an_unknown_optimizer_lists_the_known_ones():
    with pytest.raises(SpecError, match="optimizer is 'lion'.*sgd, momentum, nesterov, adam"):
        cost(SMALL, optimizer="lion")


# -- receptive fields ------------------------------------------------------------------------------


def test_receptive_fields_grow_by_reach_and_jump():
    fields = receptive_fields(plan(preset("lenet5").spec))
    assert fields["features.conv1"] == Field(3, 1, 1)  # one pixel of padding before the image
    assert fields["features.pool1"] == Field(4, 2, 1)
    assert fields["features.conv2"] == Field(8, 2, 3)  # 4 + 2 * 2; 1 + 1 * 2
    assert fields["features.pool2"] == Field(10, 4, 3)  # 8 + 1 * 2
    # All 7 x 7 features together: 10 + 6 * 4, more than the image because of the padding.
    assert fields["classifier.fc1"].size == 34


def test_dilation_widens_the_receptive_field():
    spec = CNNSpec(channels=(4,), kernel_size=3, dilation=4)
    assert receptive_fields(plan(spec))["features.conv1"].size == 9


def test_a_block_has_the_receptive_field_of_its_wider_path():
    spec = CNNSpec(channels=(4, 4), pool_every=2, block="residual", stem=Stem(4, stride=2))
    fields = receptive_fields(plan(spec))
    assert fields["features.block1"] == Field(11, 2, 5)  # stem 3, then twice 2 * 2
    assert fields["features.block1.act"] == fields["features.block1"]


def test_without_convolutions_the_receptive_field_is_one_pixel():
    assert cost(plan(CNNSpec())).receptive_field == 1

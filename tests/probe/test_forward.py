"""Feature maps, filters and arithmetic agree with torch on all kinds of layers."""

from random import Random

import numpy as np
import pytest
import torch
from random_specs import random_specs
from windows import tolerance

from cnnlib.design.plan import plan
from cnnlib.design.presets import preset
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import ProbeError
from cnnlib.nets.model import build_model
from cnnlib.probe.arithmetic import KINDS, arithmetic
from cnnlib.probe.filters import (
    convolutions,
    filter_norms,
    filters,
    largest_weight,
    silent_maps,
)
from cnnlib.probe.forward import activations, dead_channels
from cnnlib.probe.graph import INPUT, following, step_named, steps
from cnnlib.probe.weights import network, read_arrays, weights_by_step
from cnnlib.records.events import WeightsSaved
from cnnlib.records.probe import Arithmetic
from cnnlib.train.checkpoint import write_weights

RESIDUAL = CNNSpec(
    in_size=(1, 8, 8), channels=(4, 4, 6, 6), block="residual", norm="batch", pool_every=2
)


def a_net(spec: CNNSpec, seed: int = 0):
    """Build a network with random statistics in its batch norms."""
    net = build_model(spec, seed=seed).eval()
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    return net


def a_picture(spec: CNNSpec, count: int = 1, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.normal(size=(count, *spec.in_size)).astype(np.float32)


def weights_of(net) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in net.state_dict().items()}


def hooked(net, images: np.ndarray) -> dict[str, np.ndarray]:
    """Record the output of every module with torch's forward hooks."""
    seen: dict[str, np.ndarray] = {}
    for name, module in net.named_modules():

        def note(module, inputs, output, name=name) -> None:
            seen[name] = output.numpy().copy()

        module.register_forward_hook(note)
    with torch.inference_mode():
        net(torch.from_numpy(images))
    return seen


@pytest.mark.parametrize("spec", [*random_specs(25, seed=3), RESIDUAL])
def test_every_map_agrees_with_torchs_hooks(spec):
    net, images = a_net(spec), a_picture(spec, count=2)
    found = activations(net, images)
    seen = hooked(net, images)
    for leaf in net.plan.walk():
        np.testing.assert_array_equal(found[leaf.name], seen[leaf.name], err_msg=leaf.name)
    np.testing.assert_array_equal(list(found.values())[-1], seen[""])


def test_the_sum_of_a_skip_is_a_step_of_its_own():
    net = a_net(RESIDUAL)
    found = activations(net, a_picture(RESIDUAL))
    total = step_named(net.plan, "features.block1.sum")
    main, shortcut = (found[name] for name in total.inputs)
    np.testing.assert_array_equal(found[total.name], main + shortcut)
    assert found[total.name].min() < 0  # not overwritten by the in-place ReLU
    np.testing.assert_array_equal(found["features.block1.act"], found[total.name].clip(0))


def test_activations_keep_the_training_mode():
    net = build_model(RESIDUAL, seed=0).train()
    before = net.get_submodule("features.block1.main.norm1").running_mean.clone()
    activations(net, a_picture(RESIDUAL))
    assert net.training
    assert torch.equal(net.get_submodule("features.block1.main.norm1").running_mean, before)


def test_the_name_of_a_block_stands_for_its_output():
    assert step_named(plan(RESIDUAL), "features.block2").name == "features.block2.act"


def test_the_error_for_an_unknown_layer_lists_the_layers():
    with pytest.raises(ProbeError, match="no layer 'conv9'. Its layers are: features.conv1"):
        step_named(plan(CNNSpec(channels=(4,))), "conv9")


# -- number by number ------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", list(random_specs(100, seed=1)))
def test_the_numbers_add_up_to_the_networks_own_output(spec):
    net, random = a_net(spec), Random(0)
    weights, found = weights_of(net), activations(net, a_picture(spec))
    for step in steps(net.plan):
        if step.kind not in KINDS:
            continue
        channels, rows, columns = step.out_shape
        for _ in range(3):
            shown = arithmetic(net.plan, weights, found, step.name, random.randrange(channels))
            window = shown.at(random.randrange(rows), random.randrange(columns))
            assert abs(window.value - window.output) <= tolerance(window), step


def test_a_window_worked_by_hand():
    # Stride 2, padding 1: the window of the first output covers row and column -1 to 1.
    inputs = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    kernel = np.ones((1, 3, 3), np.float32)
    shown = Arithmetic(
        "conv", 0, inputs, ("input",), kernel, 0.5, 2, 1, 1, "sum", np.array([[8.5, 0], [0, 0]])
    )
    window = shown.at(0, 0)
    # | . . . |
    # | . 0 1 |   0 + 1 + 3 + 4 = 8, and a bias of 0.5
    # | . 3 4 |
    np.testing.assert_array_equal(window.patch[0], [[0, 0, 0], [0, 0, 1], [0, 3, 4]])
    assert (window.total, window.value, window.output) == (8, 8.5, 8.5)


def test_padding_never_wins_a_maximum():
    inputs = np.full((1, 2, 2), -3.0, np.float32)
    shown = Arithmetic(
        "pool", 0, inputs, ("x",), np.ones((1, 2, 2)), 0.0, 2, 1, 1, "max", np.full((2, 2), -3.0)
    )
    assert shown.at(0, 0).value == -3.0


def test_a_place_outside_the_output_is_refused():
    shown = Arithmetic(
        *("c", 0, np.zeros((1, 2, 2)), ("x",), np.ones((1, 1, 1)), 0.0, 1, 0, 1),
        "sum",
        np.zeros((2, 2)),
    )
    with pytest.raises(IndexError, match="outside the output of 2 x 2"):
        shown.at(0, 2)


def test_what_follows_a_convolution_is_shown_with_it():
    spec = CNNSpec(in_size=(1, 8, 8), channels=(4,), norm="batch")
    assert [step.name for step in following(plan(spec), "features.conv1")] == [
        "features.norm1",
        "features.act1",
    ]


@pytest.mark.parametrize(
    ("layer", "channel", "sentence"),
    [
        ("classifier.fc1", 0, "for convolutions, poolings and sums"),
        ("features.conv1", 99, "no channel 99. Choose one from 0 to"),
    ],
)
def test_arithmetic_of_other_layers_and_channels_is_refused(layer, channel, sentence):
    spec = CNNSpec(in_size=(1, 8, 8), channels=(4,))
    net = a_net(spec)
    found = activations(net, a_picture(spec))
    with pytest.raises(ProbeError, match=sentence):
        arithmetic(net.plan, weights_of(net), found, layer, channel)


# -- filters ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lenet5", "resnet20"])
def test_filters_are_the_weights_that_torch_has(name):
    net = build_model(preset(name).spec, seed=0)
    weights = weights_of(net)
    for layer in convolutions(net.plan):
        weight = net.get_submodule(layer).weight.detach()
        np.testing.assert_array_equal(filters(net.plan, weights, layer), weight.numpy())
        norms = weight.flatten(1).norm(dim=1).numpy()
        np.testing.assert_allclose(filter_norms(weight.numpy()), norms, rtol=1e-5)
        assert largest_weight(net.plan, weights) >= float(weight.abs().max())


def test_a_layer_without_filters_is_refused():
    with pytest.raises(ProbeError, match="classifier.fc1 is not a convolution"):
        filters(plan(preset("lenet5").spec), {}, "classifier.fc1")


def test_a_map_of_one_value_is_silent():
    maps = np.zeros((3, 2, 2), np.float32)
    maps[1, 0, 0] = 1
    maps[2] = 5
    assert silent_maps(maps).tolist() == [True, False, True]


def test_a_map_is_silent_if_it_has_one_value_on_all_pictures():
    maps = np.zeros((2, 2, 1, 1), np.float32)
    maps[1, 1] = 3
    assert silent_maps(maps).tolist() == [True, False]


# -- saved steps -----------------------------------------------------------------------------------


def test_a_channel_is_dead_if_every_picture_gives_it_one_value():
    net = a_net(RESIDUAL)
    first = net.get_submodule(convolutions(net.plan)[0])
    with torch.no_grad():
        first.weight[2] = 0  # its map is its bias
    found = dead_channels(net, a_picture(RESIDUAL, count=60))
    assert found[convolutions(net.plan)[0]].tolist() == [False, False, True, False]
    assert list(found) == [step.name for step in steps(net.plan)]
    assert not found[net.plan.layers[-1].name].any()


def test_saved_weights_give_the_network_that_was_saved(tmp_path):
    net = a_net(RESIDUAL)
    write_weights(tmp_path / "step.safetensors", net, 5)
    again = network(RESIDUAL, read_arrays(tmp_path / "step.safetensors"))
    images = torch.from_numpy(a_picture(RESIDUAL))
    with torch.inference_mode():
        assert torch.equal(again(images), net(images))


def test_a_missing_file_is_a_probe_error(tmp_path):
    with pytest.raises(ProbeError, match="gone.safetensors cannot be read.*another saved step"):
        read_arrays(tmp_path / "gone.safetensors")


def test_a_damaged_file_is_a_probe_error(tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"no weights")
    with pytest.raises(ProbeError, match="bad.safetensors cannot be read"):
        read_arrays(tmp_path / "bad.safetensors")


def test_weights_of_another_design_are_refused():
    with pytest.raises(ProbeError, match="do not fit the design of their run"):
        network(RESIDUAL, weights_of(a_net(CNNSpec())))


def test_the_smaller_of_two_files_of_a_step_is_used():
    saved = [
        WeightsSaved(7, "checkpoint-7", "checkpoint", 30),
        WeightsSaved(7, "snapshot-7", "snapshot", 10),
        WeightsSaved(0, "snapshot-0", "snapshot", 10),
    ]
    assert {step: each.file for step, each in weights_by_step(saved).items()} == {
        0: "snapshot-0",
        7: "snapshot-7",
    }


def test_the_input_of_the_first_step_is_the_picture():
    assert steps(plan(RESIDUAL))[0].inputs == (INPUT,)

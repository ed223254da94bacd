"""Gradients agree with torch's backward pass; warnings are checked by hand."""

import numpy as np
import pytest
import torch
from random_specs import random_specs

from cnnlib.design.spec import CNNSpec
from cnnlib.figures.inspect import (
    gradient_bands_figure,
    gradient_sizes_figure,
    gradients_over_time_figure,
)
from cnnlib.nets.model import build_model
from cnnlib.probe.filters import (
    by_layer,
    steps_within,
    warnings_about,
    warnings_over_time,
)
from cnnlib.probe.forward import gradients
from cnnlib.records.probe import LayerGradient

SPEC = CNNSpec(in_size=(1, 8, 8), out_classes=3, channels=(4, 6), norm="batch")


def a_picture(spec: CNNSpec) -> np.ndarray:
    return np.random.default_rng(1).normal(size=spec.in_size).astype(np.float32)


@pytest.mark.parametrize("spec", [SPEC, *random_specs(10, seed=5)])
def test_gradients_are_those_of_torchs_backward_pass(spec):
    net, image = build_model(spec, seed=0).eval(), a_picture(spec)
    found = gradients(net, image, 0)
    assert all(each.grad is None for each in net.parameters())
    picture = torch.from_numpy(image)[None].requires_grad_()
    loss = torch.nn.functional.cross_entropy(net(picture), torch.tensor([0]))
    loss.backward()
    assert found.loss == pytest.approx(loss.item())
    for name, parameter in net.named_parameters():
        np.testing.assert_allclose(found.weights[name], parameter.grad, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found.maps["input"], picture.grad[0], rtol=1e-5, atol=1e-7)


def test_each_layer_with_weights_has_an_entry_in_forward_order():
    net = build_model(SPEC, seed=0)
    weights = {name: value.numpy() for name, value in net.state_dict().items()}
    layers = by_layer(gradients(net, a_picture(SPEC), 0), weights)
    names = ["features.conv1", "features.conv2", "classifier.fc1"]
    assert [each.layer for each in layers] == names
    # A root mean square is the length divided by the root of the number of values: 4 * 9.
    assert layers[0].rms == pytest.approx(layers[0].norm / 6)


def a_layer(name: str, rms: float, norm: float = 1.0) -> LayerGradient:
    return LayerGradient(name, weight_norm=1.0, norm=norm, rms=rms, quantiles=(0.1,) * 5)


def test_a_thousandth_of_the_largest_gradient_is_vanishing():
    [sentence] = warnings_about([a_layer("first", 0.9e-3), a_layer("last", 1.0)])
    assert sentence.startswith("Vanishing: the gradient of first has a root mean square of 0.0009")
    assert warnings_about([a_layer("first", 1.1e-3), a_layer("last", 1.0)]) == []


def test_a_gradient_much_longer_than_its_weights_is_exploding():
    [sentence] = warnings_about([a_layer("first", 1.0, norm=10.5)])
    assert "Exploding: the gradient of first has a norm of 10.5" in sentence
    assert "is NaN or infinite" in warnings_about([a_layer("first", float("nan"))])[0]


def test_zero_gradients_are_a_warning():
    assert "exactly 0" in warnings_about([a_layer("only", 0.0)])[0]


def test_warnings_over_time_have_a_count_and_the_numbers_of_the_first_step():
    fine = [a_layer("first", 0.5), a_layer("last", 1.0)]
    vanished = [a_layer("first", 2e-4), a_layer("last", 1.0)]
    [sentence] = warnings_over_time({0: fine, 4: vanished, 9: vanished})
    assert sentence.startswith(
        "Vanishing at 2 of 3 saved steps, first at step 4: the gradient of first"
    )
    assert "0.0002" in sentence
    assert warnings_over_time({0: fine}) == []


def test_steps_within_a_budget_include_the_first_and_the_last():
    assert steps_within([0, 1, 2, 4, 8], macs=10, most_macs=1000) == [0, 1, 2, 4, 8]
    assert steps_within([0, 1, 2, 4, 8], macs=10, most_macs=1) == [0, 2, 8]
    assert steps_within([7], macs=10, most_macs=1) == [7]


def test_bands_show_each_quantile_of_one_layer_at_each_step():
    gradients_by_step = {
        step: [LayerGradient("first", 1.0, 1.0, 1.0, (1.0, 2.0, 3.0, 4.0, 5.0 + step))]
        for step in (0, 9)
    }
    outer, inner, middle = gradient_bands_figure(gradients_by_step, "first").data
    assert outer.y == (1.0, 1.0, 14.0, 5.0) and outer.x == (0, 9, 9, 0)
    assert inner.y == (2.0, 2.0, 4.0, 4.0)
    assert middle.y == (3.0, 3.0)


def test_empty_figures_have_a_note():
    assert "no weights" in gradient_bands_figure({}, "first").layout.annotations[0].text
    assert "no weights" in gradient_sizes_figure([]).layout.annotations[0].text
    assert "No step" in gradients_over_time_figure({}).layout.annotations[0].text


def test_figures_show_every_layer():
    layers = [a_layer("first", 0.5), a_layer("last", 1.0)]
    assert gradient_sizes_figure(layers).data[-1].x == ("first", "last")
    lines = gradients_over_time_figure({0: layers, 9: layers}).data
    assert [line.name for line in lines] == ["first", "last"]
    assert lines[0].y == (0.5, 0.5)

"""The training form of a network has bitwise equal outputs and gradients."""

from dataclasses import replace

import pytest
import torch
from random_specs import random_specs
from torch import nn

from cnnlib.design.presets import presets
from cnnlib.design.spec import CNNSpec
from cnnlib.nets.model import build_model
from cnnlib.nets.training_form import training_form

SAMPLE = 120


def _run_both(spec: CNNSpec, count: int = 4, layout=torch.contiguous_format):
    """Return outputs, gradients and running statistics of the network and of its training form."""
    results = []
    for form in (lambda net: net, training_form):
        net = build_model(spec, seed=0).to(memory_format=layout)
        images = torch.randn(count, *spec.in_size, generator=torch.Generator().manual_seed(1))
        torch.manual_seed(2)  # dropout
        logits = form(net)(images.contiguous(memory_format=layout))
        logits.square().sum().backward()
        tensors = [p.grad for p in net.parameters()] + list(net.buffers())
        results.append([logits.detach(), *tensors])
    return results


def _relu_specs() -> list[CNNSpec]:
    specs = random_specs(SAMPLE)
    return [replace(spec, activation="relu", activation_params=()) for spec in specs]


def test_random_networks_are_the_same_to_the_last_bit():
    for spec in _relu_specs():
        for plain, trained in zip(*_run_both(spec), strict=True):
            assert torch.equal(plain, trained), spec


def test_random_networks_are_the_same_in_channels_last_format_up_to_the_order_of_sums(
    monkeypatch,
):
    # oneDNN writes out of bounds on some processors (1x1 convolutions of few channels).
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    for spec in _relu_specs():
        plain, trained = _run_both(spec, layout=torch.channels_last)
        largest = max(float(tensor.abs().max()) for tensor in plain)  # some gradients are 0
        for one, other in zip(plain, trained, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5 * largest)


@pytest.mark.parametrize("preset", presets(), ids=lambda preset: preset.name)
def test_presets_are_the_same_to_the_last_bit(preset):
    for plain, trained in zip(*_run_both(preset.spec, count=2), strict=True):
        assert torch.equal(plain, trained)


def test_ties_in_a_window_give_equal_gradients():
    spec = CNNSpec(in_size=(1, 8, 8), channels=(2,), init="default")
    net = build_model(spec, seed=0)
    nn.init.zeros_(net.features[0].weight)  # every value of a window is equal
    for bias in (-1.0, 0.0, 1.0):
        gradients = []
        for form in (net, training_form(net)):
            nn.init.constant_(net.features[0].bias, bias)
            images = torch.zeros(1, 1, 8, 8)
            net.zero_grad()
            form(images).sum().backward()
            gradients.append([p.grad for p in net.parameters()])
        assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_the_network_itself_is_unchanged():
    net = build_model(CNNSpec(channels=(4, 4), pool_every=1), seed=0)
    before = [type(module) for module in net.modules()]
    training_form(net)
    assert [type(module) for module in net.modules()] == before
    assert not any(module.inplace for module in net.modules() if isinstance(module, nn.ReLU))

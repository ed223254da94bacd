"""Tests of dead units: units after a ReLU that are 0 on every picture."""

import torch
from tiny import collect_events, of_kind, tiny_request
from torch import nn

from cnnlib.design.spec import CNNSpec
from cnnlib.nets.model import build_model
from cnnlib.records.events import EpochEnd
from cnnlib.train.evaluation import dead_units

SPEC = CNNSpec(in_size=(1, 8, 8), channels=(4, 4), hidden_dims=(6,), dropout=0.5)


def build_net() -> nn.Module:
    return build_model(SPEC, seed=0)


def build_images() -> torch.Tensor:
    return torch.rand(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def test_maps_and_features_that_are_never_positive_are_counted():
    net = build_net()
    with torch.no_grad():
        for layer, dead in ((net.features[0], 3), (net.classifier[1], 6)):
            layer.weight[:dead] = 0
            layer.bias[:dead] = -1
            layer.bias[dead:] = 10
    images = build_images()
    shares = dead_units(net, [images])
    assert dead_units(net, images.split(1)) == shares
    first, *_, last = shares
    assert shares[first] == 0.75  # 3 of 4 filters give -1 everywhere
    assert shares[last] == 1.0


def test_the_net_is_not_changed():
    net = build_net().train()
    before = torch.get_rng_state()
    dead_units(net, [build_images()])
    assert net.training
    assert torch.equal(before, torch.get_rng_state())  # dropout did not draw random numbers
    assert not any(module._forward_hooks for module in net.modules())


def test_without_a_relu_there_are_no_dead_units():
    assert dead_units(build_model(CNNSpec(channels=(2,), activation="tanh"), seed=0), []) == {}


def test_an_epoch_has_dead_units_and_memory():
    (epoch,) = of_kind(collect_events(tiny_request(epochs=1)), EpochEnd)
    assert list(epoch.dead_units) == ["features.act1", "features.act2"]
    assert all(0 <= share <= 1 for share in epoch.dead_units.values())
    assert epoch.memory_bytes >= 0

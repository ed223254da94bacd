"""Optimisers against torch's own defaults, and settings that change under way."""

import pytest
import torch
from torch import nn

from cnnlib.records.recipe import Recipe
from cnnlib.train.optim import (
    build_optimizer,
    clip,
    optimizer_tensors,
    restore_optimizer,
    set_lr,
    set_setting,
    total_norm,
)

PLAIN = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.05),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.8, weight_decay=0.05),
    "nesterov": lambda p: torch.optim.SGD(
        p, lr=0.1, momentum=0.8, nesterov=True, weight_decay=0.05
    ),
    "adam": lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.05),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.05),
}


def _net(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.Tanh(), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3 * 36, 2)
    )


def _steps(net: nn.Module, optimizer: torch.optim.Optimizer, count: int) -> None:
    images = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    for _ in range(count):
        net(images).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()


def _recipe(name: str, **changes) -> Recipe:
    settings = {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.05, "decay_norm_and_bias": True}
    return Recipe(optimizer=name, **(settings | changes))


@pytest.mark.parametrize("name", PLAIN)
def test_each_optimizer_does_what_torchs_unfused_one_does(name):
    ours, torchs = _net(), _net()
    _steps(ours, build_optimizer(ours, _recipe(name)), 5)
    _steps(torchs, PLAIN[name](torchs.parameters()), 5)
    for one, other in zip(ours.parameters(), torchs.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_nesterov_without_momentum_is_plain_sgd():
    net = _net()
    group = build_optimizer(net, _recipe("nesterov", momentum=0.0)).param_groups[0]
    assert (group["momentum"], group["nesterov"]) == (0.0, False)


def test_weight_decay_spares_norms_and_biases_unless_asked():
    net = _net()
    optimizer = build_optimizer(net, _recipe("adamw", decay_norm_and_bias=False))
    decayed = {id(p) for p in optimizer.param_groups[0]["params"]}
    # Of the parameters, only the convolution's and the linear layer's weights are decayed.
    assert decayed == {id(net[0].weight), id(net[4].weight)}
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.05, 0.0]


def test_settings_change_from_the_next_step_on():
    optimizer = build_optimizer(_net(), _recipe("momentum", decay_norm_and_bias=False))
    set_lr(optimizer, 0.3)
    set_setting(optimizer, "momentum", 0.5)
    set_setting(optimizer, "weight_decay", 0.01)
    assert [group["lr"] for group in optimizer.param_groups] == [0.3, 0.3]
    assert [group["momentum"] for group in optimizer.param_groups] == [0.5, 0.5]
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.01, 0.0]


def test_momentum_of_adam_is_its_first_beta():
    optimizer = build_optimizer(_net(), _recipe("adam"))
    set_setting(optimizer, "momentum", 0.5)
    assert optimizer.param_groups[0]["betas"] == (0.5, 0.999)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_restored_optimizer_continues_bit_for_bit(name, layout):
    whole = _net().to(memory_format=layout)
    optimizer = build_optimizer(whole, _recipe(name))
    _steps(whole, optimizer, 3)
    weights = {
        k: v.clone(memory_format=torch.contiguous_format) for k, v in whole.state_dict().items()
    }
    remembered = {k: v.contiguous().clone() for k, v in optimizer_tensors(optimizer, whole).items()}
    _steps(whole, optimizer, 3)

    again = _net(seed=9).to(memory_format=layout)
    again.load_state_dict(weights)
    optimizer = build_optimizer(again, _recipe(name))
    restore_optimizer(optimizer, again, remembered)
    _steps(again, optimizer, 3)
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_total_norm_is_torchs_and_clipping_brings_it_down():
    gradients = [torch.tensor([3.0, 0.0]), torch.tensor([[0.0], [4.0]])]
    norm = total_norm(gradients)
    assert norm.item() == 5.0  # sqrt(9 + 16)
    clip(gradients, norm, limit=1.0)
    assert total_norm(gradients).item() == pytest.approx(1.0)
    clip(gradients, total_norm(gradients), limit=10.0)  # below the limit nothing changes
    assert total_norm(gradients).item() == pytest.approx(1.0)

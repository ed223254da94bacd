"""Optimisers against torch's own defaults, and settings that change under way."""

import pytest
import torch
from torch import nn

from cnnlib.records.recipe import Recipe
from cnnlib.train.optim import Optimizer, build_optimizer, clip, total_norm

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


IMAGES = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(1))


def _steps(net: nn.Module, optimizer: Optimizer, count: int) -> None:
    for _ in range(count):
        net(IMAGES).square().mean().backward()
        optimizer.step(optimizer.gradients())


def _torchs_steps(net: nn.Module, optimizer: torch.optim.Optimizer, count: int) -> None:
    for _ in range(count):
        net(IMAGES).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()


def _recipe(name: str, **changes) -> Recipe:
    settings = {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.05, "decay_norm_and_bias": True}
    return Recipe(optimizer=name, **(settings | changes))


def _assert_same(one: nn.Module, other: nn.Module) -> None:
    for ours, torchs in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours, torchs)


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_each_optimizer_does_what_torchs_does(name, layout):
    ours, torchs = (_net().to(memory_format=layout) for _ in range(2))
    _steps(ours, build_optimizer(ours, _recipe(name)), 5)
    _torchs_steps(torchs, PLAIN[name](torchs.parameters()), 5)
    _assert_same(ours, torchs)


def test_weight_decay_spares_norms_and_biases_unless_asked():
    ours, torchs = _net(), _net()
    decayed = [torchs[0].weight, torchs[4].weight]  # of the convolution and the linear layer
    spared = [p for p in torchs.parameters() if not any(p is weight for weight in decayed)]
    oracle = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.05}, {"params": spared, "weight_decay": 0.0}], lr=0.1
    )
    _steps(ours, build_optimizer(ours, _recipe("adamw", decay_norm_and_bias=False)), 3)
    _torchs_steps(torchs, oracle, 3)
    _assert_same(ours, torchs)


@pytest.mark.parametrize("name", PLAIN)
def test_settings_change_from_the_next_step_on(name):
    ours, torchs = _net(), _net()
    optimizer, oracle = build_optimizer(ours, _recipe(name)), PLAIN[name](torchs.parameters())
    _steps(ours, optimizer, 2)
    _torchs_steps(torchs, oracle, 2)
    optimizer.lr = oracle.param_groups[0]["lr"] = 0.03
    optimizer.set("weight_decay", 0.2)
    oracle.param_groups[0]["weight_decay"] = 0.2
    if optimizer.takes("momentum"):
        optimizer.set("momentum", 0.5)
        oracle.param_groups[0]["momentum"] = 0.5
        oracle.param_groups[0]["betas"] = (0.5, 0.999)
    _steps(ours, optimizer, 2)
    _torchs_steps(torchs, oracle, 2)
    _assert_same(ours, torchs)


@pytest.mark.parametrize("name", ["momentum", "nesterov"])
def test_without_momentum_they_are_plain_sgd(name):
    ours, plain = _net(), _net()
    _steps(ours, build_optimizer(ours, _recipe(name, momentum=0.0)), 3)
    _steps(plain, build_optimizer(plain, _recipe("sgd")), 3)
    _assert_same(ours, plain)


def test_only_plain_sgd_has_no_momentum_to_change():
    takes = {name: build_optimizer(_net(), _recipe(name)).takes("momentum") for name in PLAIN}
    assert takes == {name: name != "sgd" for name in PLAIN}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_restored_optimizer_continues_bit_for_bit(name, layout):
    whole = _net().to(memory_format=layout)
    optimizer = build_optimizer(whole, _recipe(name))
    _steps(whole, optimizer, 3)
    rows = torch.contiguous_format  # as files hold them
    weights = {k: v.clone(memory_format=rows) for k, v in whole.state_dict().items()}
    remembered = {k: v.clone(memory_format=rows) for k, v in optimizer.tensors().items()}
    _steps(whole, optimizer, 3)

    again = _net(seed=9).to(memory_format=layout)
    again.load_state_dict(weights)
    optimizer = build_optimizer(again, _recipe(name))
    optimizer.restore(remembered)
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

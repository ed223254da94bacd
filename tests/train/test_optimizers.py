"""Tests of the optimisers: against torch's own, changes of settings, restored state."""

import pytest
import torch
from torch import nn

from cnnlib.records.recipe import Recipe
from cnnlib.train.optimizers import Optimizer, build_optimizer, clip, orthogonal, total_norm
from cnnlib.vocabulary.training import OPTIMIZERS

TORCH_OPTIMIZERS = {
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


def _torch_steps(net: nn.Module, optimizer: torch.optim.Optimizer, count: int) -> None:
    for _ in range(count):
        net(IMAGES).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()


def _recipe(name: str, **changes) -> Recipe:
    settings = {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.05, "decay_norm_and_bias": True}
    return Recipe(optimizer=name, **(settings | changes))


def _assert_same(one: nn.Module, other: nn.Module) -> None:
    for ours, reference in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours, reference)


@pytest.mark.parametrize("name", TORCH_OPTIMIZERS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_each_optimizer_equals_torchs(name, layout):
    ours, reference = (_net().to(memory_format=layout) for _ in range(2))
    _steps(ours, build_optimizer(ours, _recipe(name)), 5)
    _torch_steps(reference, TORCH_OPTIMIZERS[name](reference.parameters()), 5)
    _assert_same(ours, reference)


def test_weight_decay_spares_norms_and_biases_unless_asked():
    ours, reference = _net(), _net()
    decayed = [reference[0].weight, reference[4].weight]  # of the convolution and the linear layer
    undecayed = [p for p in reference.parameters() if not any(p is weight for weight in decayed)]
    reference_optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": 0.05}, {"params": undecayed, "weight_decay": 0.0}],
        lr=0.1,
    )
    _steps(ours, build_optimizer(ours, _recipe("adamw", decay_norm_and_bias=False)), 3)
    _torch_steps(reference, reference_optimizer, 3)
    _assert_same(ours, reference)


@pytest.mark.parametrize("name", TORCH_OPTIMIZERS)
def test_settings_change_from_the_next_step_on(name):
    ours, reference = _net(), _net()
    optimizer = build_optimizer(ours, _recipe(name))
    reference_optimizer = TORCH_OPTIMIZERS[name](reference.parameters())
    _steps(ours, optimizer, 2)
    _torch_steps(reference, reference_optimizer, 2)
    optimizer.lr = reference_optimizer.param_groups[0]["lr"] = 0.03
    optimizer.set("weight_decay", 0.2)
    reference_optimizer.param_groups[0]["weight_decay"] = 0.2
    if optimizer.supports("momentum"):
        optimizer.set("momentum", 0.5)
        reference_optimizer.param_groups[0]["momentum"] = 0.5
        reference_optimizer.param_groups[0]["betas"] = (0.5, 0.999)
    _steps(ours, optimizer, 2)
    _torch_steps(reference, reference_optimizer, 2)
    _assert_same(ours, reference)


# -- Muon ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (8, 8), (1, 9)])
def test_orthogonalising_moves_singular_values_close_to_one(shape):
    matrix = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    left, singular_values, right = torch.linalg.svd(matrix, full_matrices=False)
    # Apply the polynomial of Jordan et al. to each singular value of the normalised matrix.
    singular_values = singular_values / singular_values.norm()
    for _ in range(5):
        singular_values = (
            3.4445 * singular_values - 4.7750 * singular_values**3 + 2.0315 * singular_values**5
        )
    assert singular_values.min() > 0.65 and singular_values.max() < 1.25
    expected = left @ torch.diag(singular_values) @ right
    torch.testing.assert_close(orthogonal(matrix), expected, rtol=1e-3, atol=1e-4)


def test_a_zero_matrix_stays_zero():
    assert torch.equal(orthogonal(torch.zeros(3, 5)), torch.zeros(3, 5))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_muon_equals_torchs_muon_on_filters_and_adamw_elsewhere(layout):
    """torch's Muon iterates in bfloat16, so the results agree only to a few per cent of a step."""
    ours, reference = (_net().to(memory_format=layout) for _ in range(2))
    optimizer = build_optimizer(ours, _recipe("muon", weight_decay=0.5))
    _steps(ours, optimizer, 3)

    filters, *others = reference.parameters()
    start, matrix = filters.detach().clone(), nn.Parameter(filters.detach().flatten(1).clone())
    muon = torch.optim.Muon(
        [matrix], lr=0.1, weight_decay=0.5, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    adamw = torch.optim.AdamW(others, lr=0.1, betas=(0.95, 0.999), weight_decay=0.5)
    for _ in range(3):
        reference(IMAGES).square().mean().backward()
        matrix.grad = filters.grad.flatten(1).clone()
        muon.step()
        adamw.step()
        with torch.no_grad():
            filters.copy_(matrix.view_as(filters))
        reference.zero_grad()
    moved = (filters - start).norm()
    assert (ours[0].weight - filters).norm() < 0.05 * moved
    for one, other in zip(list(ours.parameters())[1:], others, strict=True):
        torch.testing.assert_close(one, other, rtol=0.05, atol=0.01)


def test_muon_leaves_the_last_layer_and_all_vectors_to_adamw():
    optimizer = build_optimizer(_net(), _recipe("muon"))
    states = {name.rpartition("/") for name in optimizer.state_tensors() if "/" in name}
    by_muon = {parameter for parameter, _, state in states if state == "momentum_buffer"}
    by_adamw = {parameter for parameter, _, state in states if state == "exp_avg_sq"}
    assert by_muon == {"0.weight"}
    assert by_adamw == {"0.bias", "2.weight", "2.bias", "4.weight", "4.bias"}


@pytest.mark.parametrize("name", ["momentum", "nesterov"])
def test_without_momentum_they_are_plain_sgd(name):
    ours, plain = _net(), _net()
    _steps(ours, build_optimizer(ours, _recipe(name, momentum=0.0)), 3)
    _steps(plain, build_optimizer(plain, _recipe("sgd")), 3)
    _assert_same(ours, plain)


def test_only_plain_sgd_has_no_momentum_to_change():
    supports = {
        name: build_optimizer(_net(), _recipe(name)).supports("momentum") for name in OPTIMIZERS
    }
    assert supports == {name: name != "sgd" for name in OPTIMIZERS}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_restored_optimizer_continues_bit_for_bit(name, layout):
    whole = _net().to(memory_format=layout)
    optimizer = build_optimizer(whole, _recipe(name))
    _steps(whole, optimizer, 3)
    rows = torch.contiguous_format  # the memory format of files
    weights = {k: v.clone(memory_format=rows) for k, v in whole.state_dict().items()}
    state = {k: v.clone(memory_format=rows) for k, v in optimizer.state_tensors().items()}
    _steps(whole, optimizer, 3)

    again = _net(seed=9).to(memory_format=layout)
    again.load_state_dict(weights)
    optimizer = build_optimizer(again, _recipe(name))
    optimizer.restore(state)
    _steps(again, optimizer, 3)
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_total_norm_is_torchs_and_clipping_brings_it_down():
    gradients = [torch.tensor([3.0, 0.0]), torch.tensor([[0.0], [4.0]])]
    norm = total_norm(gradients)
    assert norm.item() == 5.0  # sqrt(9 + 16)
    clip(gradients, norm, limit=1.0)
    assert total_norm(gradients).item() == pytest.approx(1.0)
    clip(gradients, total_norm(gradients), limit=10.0)  # below the limit: unchanged
    assert total_norm(gradients).item() == pytest.approx(1.0)

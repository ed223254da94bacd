"""Optimisers as recipes name them, with settings that may change between two steps."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from cnnlib.records.events import Setting
from cnnlib.records.recipe import Recipe

_NORMS = (
    nn.modules.batchnorm._NormBase,
    nn.GroupNorm,
    nn.LayerNorm,
)


def build_optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser over all parameters of a net, one fused kernel for all of them where
    torch has one.

    Weight decay acts on the weights of convolutions and linear layers; on norms and biases only if
    the recipe asks for it. For Adam it is an L2 penalty, for AdamW it is decoupled (Loshchilov &
    Hutter 2019), as in torch.
    """
    groups = _parameter_groups(net, recipe)
    fused = next(net.parameters()).device.type in ("cpu", "cuda", "mps")
    lr = recipe.lr
    if recipe.optimizer == "adam":
        return torch.optim.Adam(groups, lr=lr, fused=fused)
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=lr, fused=fused)
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=lr, fused=fused)
    nesterov = recipe.optimizer == "nesterov" and recipe.momentum > 0
    return torch.optim.SGD(groups, lr=lr, momentum=recipe.momentum, nesterov=nesterov, fused=fused)


def _parameter_groups(net: nn.Module, recipe: Recipe) -> list[dict]:
    """One group that weight decay acts on and one that it spares; an empty group is left out."""
    spared = set() if recipe.decay_norm_and_bias else set(_norms_and_biases(net))
    decayed = [p for p in net.parameters() if p not in spared]
    kept = [p for p in net.parameters() if p in spared]
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay, "decays": True},
        {"params": kept, "weight_decay": 0.0, "decays": False},
    ]
    return [group for group in groups if group["params"]]


def _norms_and_biases(net: nn.Module) -> Iterator[nn.Parameter]:
    for module in net.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if isinstance(module, _NORMS) or name == "bias":
                yield parameter


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """The learning rate of the next update."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def set_setting(optimizer: torch.optim.Optimizer, setting: Setting, value: float) -> None:
    """Change momentum (beta1 of Adam and AdamW) or weight decay from the next update on.

    The learning rate is not set here: the loop multiplies it with the schedule's factor at every
    step.
    """
    for group in optimizer.param_groups:
        if setting == "weight_decay" and group["decays"]:
            group["weight_decay"] = value
        elif setting == "momentum" and "betas" in group:
            group["betas"] = (value, group["betas"][1])
        elif setting == "momentum":
            group["momentum"] = value


def total_norm(gradients: list[Tensor]) -> Tensor:
    """L2 norm of all gradients together, as a 0-d tensor on their device."""
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))


def clip(gradients: list[Tensor], norm: Tensor, limit: float) -> None:
    """Scale gradients in place so that their total norm is at most ``limit``."""
    torch._foreach_mul_(gradients, torch.clamp(limit / (norm + 1e-6), max=1.0))


def optimizer_tensors(optimizer: torch.optim.Optimizer, net: nn.Module) -> dict[str, Tensor]:
    """What the optimiser remembers, as ``"<parameter name>/<quantity>" -> tensor``."""
    return {
        f"{name}/{quantity}": value
        for name, parameter in net.named_parameters()
        for quantity, value in optimizer.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, net: nn.Module, tensors: dict[str, Tensor]
) -> None:
    """Give a fresh optimiser back what `optimizer_tensors` returned.

    Fused kernels walk through memory, so what belongs to a weight has to lie as the weight does.
    """
    parameters = dict(net.named_parameters())
    for key, value in tensors.items():
        name, _, quantity = key.rpartition("/")
        parameter = parameters[name]
        own = torch.empty_like(parameter, requires_grad=False) if value.dim() else torch.tensor(0.0)
        optimizer.state[parameter][quantity] = own.copy_(value).to(parameter.device)

"""What every optimiser does: groups of parameters, settings that change, what is remembered."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn

from cnnlib.records.events import Setting
from cnnlib.records.recipe import Recipe

_NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)


@dataclass
class Group:
    """Parameters that an optimiser treats alike, and what it remembers of each.

    Args:
        decays: Weight decay acts on them.
        quantities: What is remembered, by name (``exp_avg``).
        memory: Quantity -> one tensor per parameter, that lies in memory as it does.
    """

    named: dict[str, nn.Parameter]
    decays: bool
    quantities: tuple[str, ...]
    weight_decay: float = 0.0
    memory: dict[str, list[Tensor]] = field(default_factory=dict)

    @cached_property
    def parameters(self) -> list[nn.Parameter]:
        """In the order of the net."""
        return list(self.named.values())


class Optimizer(ABC):
    """Changes the parameters of a net, one step at a time.

    Weight decay acts on the weights of convolutions and linear layers; on norms and biases only
    if the recipe asks for it.

    Attributes:
        lr: Learning rate of the next step.
        momentum: Of SGD and Muon; beta1 of Adam and AdamW, and of what Muon leaves to AdamW.
        steps: How many were taken (0-d tensor, float32, on the net's device).
    """

    quantities: tuple[str, ...] = ()

    def __init__(self, net: nn.Module, recipe: Recipe, momentum: float) -> None:
        self.lr, self.momentum = recipe.lr, momentum
        named = dict(net.named_parameters())
        spared = set() if recipe.decay_norm_and_bias else _norms_and_biases(net)
        decayed = {name: each for name, each in named.items() if name not in spared}
        rest = {name: each for name, each in named.items() if name in spared}
        groups = [*self._grouped(decayed, decays=True), *self._grouped(rest, decays=False)]
        self._groups = [group for group in groups if group.named]
        self._parameters = [p for group in self._groups for p in group.parameters]
        self.steps = torch.zeros((), device=self._parameters[0].device)
        self.set("weight_decay", recipe.weight_decay)
        for group in self._groups:
            group.memory = {
                quantity: [torch.zeros_like(p, requires_grad=False) for p in group.parameters]
                for quantity in group.quantities
            }

    def gradients(self) -> list[Tensor]:
        """The gradient of each parameter, as the last backward pass left it."""
        return [parameter.grad for parameter in self._parameters]

    def step(self, gradients: list[Tensor]) -> None:
        """Change every parameter by its gradient (of `gradients`), and drop the gradients."""
        self.steps += 1
        start = 0
        with torch.no_grad():
            for group in self._groups:
                end = start + len(group.parameters)
                self._step(group, gradients[start:end])
                start = end
        for parameter in self._parameters:
            parameter.grad = None

    def takes(self, setting: Setting) -> bool:
        """The setting means something to this optimiser."""
        return True

    def set(self, setting: Setting, value: float) -> None:
        """Change a setting from the next step on; weight decay only where it acts at all."""
        if setting != "weight_decay":
            setattr(self, setting, value)
            return
        for group in self._groups:
            group.weight_decay = value if group.decays else 0.0

    def tensors(self) -> dict[str, Tensor]:
        """What a continuation needs: ``"steps"``, and ``"<parameter>/<quantity>"`` -> tensor."""
        return {"steps": self.steps} | {
            f"{name}/{quantity}": value
            for group in self._groups
            for quantity, values in group.memory.items()
            for name, value in zip(group.named, values, strict=True)
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `tensors` gave."""
        for name, own in self.tensors().items():
            own.copy_(tensors[name])

    def _grouped(self, named: dict[str, nn.Parameter], *, decays: bool) -> list[Group]:
        """Parameters that weight decay treats alike, as the groups that a step tells apart."""
        return [Group(named, decays, self.quantities)]

    @abstractmethod
    def _step(self, group: Group, gradients: list[Tensor]) -> None:
        """Change the parameters of one group."""


def total_norm(gradients: list[Tensor]) -> Tensor:
    """L2 norm of all gradients together, as a 0-d tensor on their device."""
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))


def clip(gradients: list[Tensor], norm: Tensor, limit: float) -> None:
    """Scale gradients in place so that their total norm is at most ``limit``."""
    torch._foreach_mul_(gradients, torch.clamp(limit / (norm + 1e-6), max=1.0))


def _norms_and_biases(net: nn.Module) -> set[str]:
    """Names of all biases, and of the scales of norms."""
    return {
        f"{path}.{name}".removeprefix(".")
        for path, module in net.named_modules()
        for name, _ in module.named_parameters(recurse=False)
        if name == "bias" or isinstance(module, _NORMS)
    }

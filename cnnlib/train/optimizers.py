"""The optimisers of recipes.

They call torch's fused kernels directly, one call for all weights. Creating an optimiser of
``torch.optim`` imports torch's compiler, which takes longer in a new process than torch itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn

from cnnlib.records.events import Setting
from cnnlib.records.recipe import Recipe
from cnnlib.vocabulary.training import OPTIMIZERS

_ADAM_BETA1, _ADAM_BETA2, _ADAM_EPSILON = 0.9, 0.999, 1e-8
_MUON_MOMENTUM, _MUON_ITERATIONS = 0.95, 5
_MUON_COEFFICIENTS = 3.4445, -4.7750, 2.0315
# Scale of an update: 0.2 * sqrt(longer side) matches AdamW's update size (Liu et al. 2025).
_MUON_SCALE = 0.2


_NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)


@dataclass
class Group:
    """A group of parameters with the same options, and their optimiser state.

    Args:
        decays: Whether weight decay acts on them.
        state_names: Names of the state tensors of a parameter (``exp_avg``).
        state: State name -> one tensor per parameter, in the parameter's memory format.
    """

    named: dict[str, nn.Parameter]
    decays: bool
    state_names: tuple[str, ...]
    weight_decay: float = 0.0
    state: dict[str, list[Tensor]] = field(default_factory=dict)

    @cached_property
    def parameters(self) -> list[Tensor]:
        """The parameters in the order of the net."""
        return [*self.named.values()]


class Optimizer(ABC):
    """Base class of optimisers: updates the parameters of a net, one step at a time.

    Weight decay acts on the weights of convolutions and linear layers; on norms and biases only
    with the recipe's ``decay_norm_and_bias``.

    Attributes:
        lr: Learning rate of the next step.
        momentum: Momentum of SGD and Muon; beta1 of Adam and AdamW, and of Muon's AdamW part.
        steps: Number of steps taken (0-d tensor, float32, on the net's device).
    """

    state_names: tuple[str, ...] = ()

    def __init__(self, net: nn.Module, recipe: Recipe, momentum: float) -> None:
        self.lr, self.momentum = recipe.lr, momentum
        named = dict(net.named_parameters())
        undecayed = set() if recipe.decay_norm_and_bias else _norms_and_biases(net)
        decayed = {name: each for name, each in named.items() if name not in undecayed}
        rest = {name: each for name, each in named.items() if name in undecayed}
        groups = self._build_groups(decayed, decays=True)
        groups += self._build_groups(rest, decays=False)
        self._groups = [group for group in groups if group.named]
        self._parameters = [p for group in self._groups for p in group.parameters]
        self.steps = torch.zeros((), device=self._parameters[0].device)
        self.set("weight_decay", recipe.weight_decay)
        for group in self._groups:
            group.state = {
                state_name: [torch.zeros_like(p, requires_grad=False) for p in group.parameters]
                for state_name in group.state_names
            }

    def gradients(self) -> list[Tensor]:
        """Return the gradient of each parameter from the last backward pass."""
        return [parameter.grad for parameter in self._parameters]  # type: ignore[misc]  # none is None

    def step(self, gradients: list[Tensor]) -> None:
        """Update every parameter from its gradient (see `gradients`), then clear the gradients."""
        self.steps += 1
        start = 0
        with torch.no_grad():
            for group in self._groups:
                end = start + len(group.parameters)
                self._step(group, gradients[start:end])
                start = end
        for parameter in self._parameters:
            parameter.grad = None

    def supports(self, setting: Setting) -> bool:
        """Return whether the optimiser has this setting."""
        return True

    def set(self, setting: Setting, value: float) -> None:
        """Change a setting from the next step on; weight decay only for the groups that decay."""
        if setting != "weight_decay":
            setattr(self, setting, value)
            return
        for group in self._groups:
            group.weight_decay = value if group.decays else 0.0

    def state_tensors(self) -> dict[str, Tensor]:
        """Return the whole state: ``"steps"``, and ``"<parameter>/<state name>"`` -> tensor."""
        return {"steps": self.steps} | {
            f"{name}/{state_name}": value
            for group in self._groups
            for state_name, values in group.state.items()
            for name, value in zip(group.named, values, strict=True)
        }

    def restore(self, tensors: Mapping[str, Tensor], *, fitting: bool = False) -> None:
        """Copy the state from the output of `state_tensors`.

        Args:
            fitting: Leave out what is missing or has another shape; it keeps its initial state.

        Raises:
            KeyError, RuntimeError: A tensor is missing or has another shape.
        """
        for name, own in self.state_tensors().items():
            if not fitting or (name in tensors and tensors[name].shape == own.shape):
                own.copy_(tensors[name])

    def _build_groups(self, named: dict[str, nn.Parameter], *, decays: bool) -> list[Group]:
        """Split parameters with the same weight decay into groups with the same state."""
        return [Group(named, decays, self.state_names)]

    @abstractmethod
    def _step(self, group: Group, gradients: list[Tensor]) -> None:
        """Update the parameters of one group."""


def total_norm(gradients: list[Tensor]) -> Tensor:
    """Return the L2 norm of all gradients together, as a 0-d tensor on their device."""
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))


def clip(gradients: list[Tensor], norm: Tensor, limit: float) -> None:
    """Scale gradients in place so that their total norm is at most ``limit``."""
    torch._foreach_mul_(gradients, clip_factor(norm, limit))


def clip_factor(norm: Tensor, limit: float) -> Tensor:
    """Return the factor (0-d tensor) by which `clip` scales gradients of a total norm."""
    return torch.clamp(limit / (norm + 1e-6), max=1.0)


def _norms_and_biases(net: nn.Module) -> set[str]:
    """Return the names of all biases and of the scales of norms."""
    return {
        f"{path}.{name}".removeprefix(".")
        for path, module in net.named_modules()
        for name, _ in module.named_parameters(recurse=False)
        if name == "bias" or isinstance(module, _NORMS)
    }


class SGD(Optimizer):
    """Stochastic gradient descent, with or without (Nesterov) momentum."""

    def __init__(self, net: nn.Module, recipe: Recipe, *, nesterov: bool = False) -> None:
        has_momentum = OPTIMIZERS[recipe.optimizer].has_momentum
        self.state_names = ("momentum_buffer",) if has_momentum else ()
        self._nesterov = nesterov
        super().__init__(net, recipe, recipe.momentum if has_momentum else 0.0)

    def supports(self, setting: Setting) -> bool:
        """Return whether the optimiser has this setting; plain SGD has no momentum."""
        return setting != "momentum" or bool(self.state_names)

    def _step(self, group: Group, gradients: list[Tensor]) -> None:
        torch._fused_sgd_(
            group.parameters,
            gradients,
            group.state["momentum_buffer"] if self.momentum else [],
            weight_decay=group.weight_decay,
            momentum=self.momentum,
            lr=self.lr,
            dampening=0.0,
            nesterov=self._nesterov and self.momentum > 0,
            maximize=False,
            is_first_step=False,  # buffers start at 0, which is equal to torch's first step
        )


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015), where weight decay is an L2 penalty; or AdamW, where it is
    decoupled from the gradient (Loshchilov & Hutter 2019).
    """

    state_names = ("exp_avg", "exp_avg_sq")

    def __init__(self, net: nn.Module, recipe: Recipe, *, decoupled: bool) -> None:
        self._kernel = torch._fused_adamw_ if decoupled else torch._fused_adam_
        super().__init__(net, recipe, _ADAM_BETA1)

    def _step(self, group: Group, gradients: list[Tensor]) -> None:
        self._kernel(
            group.parameters,
            gradients,
            group.state["exp_avg"],
            group.state["exp_avg_sq"],
            [],
            [self.steps] * len(gradients),
            lr=self.lr,
            beta1=self.momentum,
            beta2=_ADAM_BETA2,
            weight_decay=group.weight_decay,
            eps=_ADAM_EPSILON,
            amsgrad=False,
            maximize=False,
        )


class Muon(Adam):
    """Muon: momentum with orthogonalised updates (Jordan et al. 2024) for the weights of
    convolutions and hidden linear layers; AdamW for the others.

    A filter is a row. Updates are scaled to the size of AdamW's (Liu et al. 2025), so that both
    parts use the same learning rate.
    """

    def __init__(self, net: nn.Module, recipe: Recipe) -> None:
        weights = [name for name, each in net.named_parameters() if each.ndim > 1]
        self._matrices = set(weights[:-1])  # without the last layer, whose rows are classes
        super().__init__(net, recipe, decoupled=True)
        self.momentum = _MUON_MOMENTUM

    def _build_groups(self, named: dict[str, nn.Parameter], *, decays: bool) -> list[Group]:
        """Split parameters into matrices, updated with momentum, and those updated by AdamW."""
        matrices = {name: each for name, each in named.items() if name in self._matrices}
        others = {name: each for name, each in named.items() if name not in self._matrices}
        return [
            Group(matrices, decays, ("momentum_buffer",)),
            *super()._build_groups(others, decays=decays),
        ]

    def _step(self, group: Group, gradients: list[Tensor]) -> None:
        if "momentum_buffer" not in group.state:
            super()._step(group, gradients)
            return
        buffers, parameters = group.state["momentum_buffer"], group.parameters
        torch._foreach_lerp_(buffers, gradients, 1 - self.momentum)
        ahead = torch._foreach_lerp(gradients, buffers, self.momentum)  # Nesterov momentum
        torch._foreach_mul_(parameters, 1 - self.lr * group.weight_decay)
        for parameter, step in zip(parameters, ahead, strict=True):
            rows = step.flatten(1)
            scale = _MUON_SCALE * max(rows.shape) ** 0.5
            parameter.sub_(orthogonal(rows).reshape(parameter.shape), alpha=self.lr * scale)


def orthogonal(matrix: Tensor) -> Tensor:
    """Return the matrix with its singular values moved close to 1 (0.7 to 1.2), by a
    Newton-Schulz iteration with the coefficients of Jordan et al. (2024).

    The iteration works on the Gram matrix of the shorter side, which costs less.
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / (torch.linalg.matrix_norm(wide) + 1e-7)
    a, b, c = _MUON_COEFFICIENTS
    gram = wide @ wide.T
    total = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    for _ in range(_MUON_ITERATIONS):
        factor = b * gram + c * (gram @ gram)
        factor.diagonal().add_(a)
        total, gram = factor @ total, factor @ gram @ factor
    wide = total @ wide
    return wide if matrix.shape[0] <= matrix.shape[1] else wide.T


_ALGORITHMS: dict[str, Callable[..., Optimizer]] = {
    algorithm.__name__: algorithm for algorithm in (SGD, Adam, Muon)
}


def build_optimizer(net: nn.Module, recipe: Recipe) -> Optimizer:
    """Build the recipe's optimiser for all parameters of a net, which stays on its device."""
    rule = OPTIMIZERS[recipe.optimizer]
    return _ALGORITHMS[rule.algorithm](net, recipe, **dict(rule.options))

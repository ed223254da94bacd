"""`training_form`: a network with fewer passes over memory, for training steps without hooks.

It runs the modules of the network itself, with bitwise equal outputs and gradients:

- A ReLU before a max-pooling runs after it, on a quarter of the values. max and ReLU commute, and
  the gradient reaches the same pixel: if the maximum of a window is positive, it is at the same
  pixel before and after the ReLU; if it is not, no gradient passes.
- ReLUs, and the sum of a residual block, overwrite their input. It is the output of a convolution,
  norm, pooling or linear layer, which need their input for the backward pass, not their output.

(In channels-last format torch may sum a map of one channel or one pixel in another order.)

A hook on a module would receive other values than in the network, so code with hooks must call the
network itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn.functional import relu_

from cnnlib.nets.blocks import ResidualBlock

if TYPE_CHECKING:
    from cnnlib.nets.model import Network

Step = Callable[[Tensor], Tensor]


def training_form(net: Network) -> Step:
    """Return a function equal to the network; it shares the network's modules and weights."""
    return _chain([*net.features, *net.classifier])


def _chain(modules: Iterable[nn.Module]) -> Step:
    """Return a function that applies modules one after the other."""
    steps = [_build_step(module) for module in _move_pools_first(list(modules))]

    def forward(x: Tensor) -> Tensor:
        for step in steps:
            x = step(x)
        return x

    return forward


def _move_pools_first(modules: list[nn.Module]) -> list[nn.Module]:
    """Swap each ReLU with the max-pooling that follows it."""
    for i, (first, second) in enumerate(itertools.pairwise(modules)):
        if isinstance(first, nn.ReLU) and isinstance(second, nn.MaxPool2d):
            modules[i : i + 2] = [second, first]
    return modules


def _build_step(module: nn.Module) -> Step:
    if isinstance(module, nn.ReLU):
        return relu_
    if isinstance(module, ResidualBlock):
        return _build_residual_step(module)
    return module


def _build_residual_step(block: ResidualBlock) -> Step:
    main, shortcut = _chain(block.main), _chain(block.shortcut)

    def forward(x: Tensor) -> Tensor:
        return relu_(main(x).add_(shortcut(x)))

    return forward

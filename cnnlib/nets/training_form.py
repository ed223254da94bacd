"""The same network with fewer passes over memory, for training steps that nobody looks into.

It runs the very modules of a network, and gives its outputs and its gradients to the last bit:

- A ReLU before a max-pooling runs after it, on a quarter of the values. max and ReLU commute, and
  the gradient reaches the same pixel: where the largest value of a window is positive it is the
  same one before and after the ReLU, and where it is not, no gradient passes.
- ReLUs, and the sum of a residual block, overwrite their input. Convolutions, norms, poolings and
  linear layers, which made it, need their input for the backward pass and not their output.

(In channels-last format torch may sum a map of one channel or one pixel in another order.)

A hook on a module would find other values than the network's, so what looks inside uses the
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
    """A function that computes what the net computes; it shares the net's modules and weights."""
    return _chain([*net.features, *net.classifier])


def _chain(modules: Iterable[nn.Module]) -> Step:
    """Modules one after the other."""
    steps = [_step(module) for module in _pooled_first(list(modules))]

    def forward(x: Tensor) -> Tensor:
        for step in steps:
            x = step(x)
        return x

    return forward


def _pooled_first(modules: list[nn.Module]) -> list[nn.Module]:
    """The modules with each max-pooling in front of the ReLU before it."""
    for i, (first, second) in enumerate(itertools.pairwise(modules)):
        if isinstance(first, nn.ReLU) and isinstance(second, nn.MaxPool2d):
            modules[i : i + 2] = [second, first]
    return modules


def _step(module: nn.Module) -> Step:
    if isinstance(module, nn.ReLU):
        return relu_
    if isinstance(module, ResidualBlock):
        return _residual(module)
    return module


def _residual(block: ResidualBlock) -> Step:
    main, shortcut = _chain(block.main), _chain(block.shortcut)

    def forward(x: Tensor) -> Tensor:
        return relu_(main(x).add_(shortcut(x)))

    return forward

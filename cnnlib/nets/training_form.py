"""`training_form`: a network with fewer passes over memory, for training steps without hooks.

It runs the modules of the network itself, with bitwise equal outputs and gradients:

- A ReLU before a max-pooling runs after it, on a quarter of the values. max and ReLU commute, and
  the gradient reaches the same pixel: if the maximum of a window is positive, it is at the same
  pixel before and after the ReLU; if it is not, no gradient passes.
- ReLUs, and the sum of a residual block, overwrite their input. It is the output of a convolution,
  norm, pooling or linear layer, which need their input for the backward pass, not their output. (An
  instance norm gives a view, which is not overwritten: autograd would copy the gradient.)

(In channels-last format torch may sum a map of one channel or one pixel in another order.)

A hook on a module would receive other values than in the network, so code with hooks must call the
network itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn.functional import relu_

from cnnlib.design.layers import AnyLayer, Residual, gives_view, training_order

if TYPE_CHECKING:
    from cnnlib.nets.model import Network

Step = Callable[[Tensor], Tensor]


def training_form(net: Network) -> Step:
    """Return a function equal to the network; it shares the network's modules and weights."""
    return _chain(net, net.plan.layers)


def _chain(net: Network, layers: Sequence[AnyLayer], *, keeps_input: bool = False) -> Step:
    """Return a function that applies layers one after the other.

    Args:
        keeps_input: Whether the input is needed afterwards, so that no layer may overwrite it.
    """
    steps = []
    for layer in training_order(layers):
        steps.append(_build_step(net, layer, overwrites=not keeps_input))
        keeps_input = gives_view(layer)

    def forward(x: Tensor) -> Tensor:
        for step in steps:
            x = step(x)
        return x

    return forward


def _build_step(net: Network, layer: AnyLayer, *, overwrites: bool) -> Step:
    """Return a layer's step; `overwrites`: whether it may overwrite its input."""
    if layer.kind == "residual":
        return _build_residual_step(net, layer)
    if layer.kind == "activation" and layer.activation == "relu" and overwrites:
        return relu_
    return net.get_submodule(layer.name)


def _build_residual_step(net: Network, block: Residual) -> Step:
    before, main = _chain(net, block.before, keeps_input=True), _chain(net, block.main)
    shortcut, is_projected = _chain(net, block.shortcut), block.is_projected
    add = Tensor.add if gives_view(block.main[-1]) else Tensor.add_

    def forward(x: Tensor) -> Tensor:
        given = before(x)
        total = add(main(given), shortcut(given if is_projected else x))
        return relu_(total) if block.after else total

    return forward

"""Units behind a ReLU that are 0 whatever the picture: they have no gradient, and stay so."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

PICTURES = 128  # that a unit must be 0 on to count as dead: a look, not a proof


@torch.inference_mode()
def dead_units(net: nn.Module, images: Tensor) -> dict[str, float]:
    """The share of dead units behind each ReLU, by the layer's name, in forward order.

    A unit is a feature map, or a feature of a flat layer.

    Args:
        net: Is asked in evaluation mode and left as it was.
        images: N x C x H x W, as the net is fed.
    """
    found: dict[str, float] = {}
    hooks = [
        module.register_forward_hook(_measure(name, found))
        for name, module in net.named_modules()
        if isinstance(module, nn.ReLU)
    ]
    was_training = net.training
    try:
        if hooks:
            net.eval()(images)
    finally:
        net.train(was_training)
        for hook in hooks:
            hook.remove()
    return found


def _measure(name: str, found: dict[str, float]) -> Callable[..., None]:
    def after(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        largest = output.amax(dim=[axis for axis in range(output.ndim) if axis != 1])  # C
        found[name] = float((largest == 0).float().mean())

    return after

"""Detection of dead channels, which have one constant value on all pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from cnnlib.probe.forward import evaluating, trace
from cnnlib.probe.graph import INPUT

if TYPE_CHECKING:
    from cnnlib.nets.model import Network

_BATCH = 50


def dead_channels(net: Network, images: np.ndarray) -> dict[str, np.ndarray]:
    """Find the channels or features of each step that are constant over all pictures.

    Args:
        images: N x C x H x W, float32, normalised; more pictures make the result more certain.

    Returns:
        Channels, bool, for each step in forward order. After a ReLU the constant is usually 0.
    """
    lowest: dict[str, torch.Tensor] = {}
    highest: dict[str, torch.Tensor] = {}
    with evaluating(net), torch.inference_mode():
        for part in torch.from_numpy(np.ascontiguousarray(images)).split(_BATCH):
            for name, values in trace(net, part).items():
                flat = values.transpose(0, 1).flatten(1)  # channels x (pictures and positions)
                low, high = flat.min(dim=1).values, flat.max(dim=1).values
                lowest[name] = torch.minimum(lowest.get(name, low), low)
                highest[name] = torch.maximum(highest.get(name, high), high)
    return {name: (lowest[name] == highest[name]).numpy() for name in lowest if name != INPUT}

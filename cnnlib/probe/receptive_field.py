"""The pixels that one value of a feature map depends on, cut out of a picture; without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cnnlib.design.layers import Conv2d, Pool
from cnnlib.design.shapes import reach
from cnnlib.errors import ProbeError
from cnnlib.probe.graph import INPUT, step_named, steps

if TYPE_CHECKING:
    from cnnlib.data.prepared import Prepared
    from cnnlib.design.plan import Plan


@dataclass(frozen=True)
class ReceptiveField:
    """The square of pixels that one value of a map depends on.

    Args:
        size: Side of the square in pixels, including padding.
        jump: Distance in pixels between the squares of neighbouring values.
        before: Pixels from the start of the first square to the start of the picture.
    """

    size: int = 1
    jump: int = 1
    before: int = 0

    def corner(self, place: int, size: int, side: int) -> int:
        """Return the start of a square of ``size`` pixels at a value, clipped to the picture.

        Args:
            place: Row or column of the value.
            side: Height or width of the picture.
        """
        middle = place * self.jump - self.before + (self.size - size) // 2
        return max(0, min(side - size, middle))


def receptive_field(plan: Plan, name: str) -> ReceptiveField:
    """Compute the receptive field of a layer, along the main path of residual blocks.

    Raises:
        ProbeError: The layer has no maps.
    """
    step = step_named(plan, name)
    if len(step.out_shape) != 3 or step.kind == "global_avg_pool":
        raise ProbeError(
            f"{name} has no feature maps: each of its values depends on the whole picture. "
            "Choose a layer with feature maps."
        )
    known = {each.name: each for each in steps(plan)}
    chain = [step]
    while chain[-1].inputs[0] != INPUT:
        chain.append(known[chain[-1].inputs[0]])
    field = ReceptiveField()
    for each in reversed(chain):
        if isinstance(each.leaf, Conv2d | Pool):
            leaf = each.leaf
            size = field.size + (reach(leaf.kernel_size, leaf.dilation) - 1) * field.jump
            before = field.before + leaf.padding * field.jump
            field = ReceptiveField(size, field.jump * leaf.stride, before)
    return field


def crop_patch(prepared: Prepared, field: ReceptiveField, entry: list[float]) -> np.ndarray:
    """Crop the patch of one entry of `cnnlib.probe.patches.strongest_patches`: C x s x s, uint8."""
    picture = prepared.test_images[int(entry[0])]
    _, height, width = picture.shape
    size = min(field.size, height, width)
    top, left = (
        field.corner(int(place), size, side)
        for place, side in zip(entry[1:3], (height, width), strict=True)
    )
    return np.array(picture[:, top : top + size, left : left + size])

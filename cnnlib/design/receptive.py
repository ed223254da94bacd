"""The receptive field of every layer: which part of the image one of its values depends on.

The recursion is that of Araujo, Norris and Sim, "Computing receptive fields of convolutional neural
networks", Distill 2019: a window of reach r adds (r - 1) jumps, a stride multiplies the jump.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnlib.design.layers import Leaf, Residual
from cnnlib.design.shapes import reach

if TYPE_CHECKING:
    from cnnlib.design.plan import Plan


@dataclass(frozen=True, slots=True)
class Field:
    """A receptive field, in pixels of the image.

    Args:
        size: Height and width, padding included, so that it may be larger than the image. After
            flattening or averaging: of all features together, along the longer side.
        jump: Distance between the fields of two neighbours in a feature map.
    """

    size: int = 1
    jump: int = 1


def receptive_fields(plan: Plan) -> dict[str, Field]:
    """The field of each leaf and each block of a plan, by name."""
    fields: dict[str, Field] = {}
    field = Field()
    for layer in plan.layers:
        if isinstance(layer, Residual):
            main = _follow(layer.main, field, fields)
            shortcut = _follow(layer.shortcut, field, fields)
            field = Field(max(main.size, shortcut.size), main.jump)
            fields[layer.activation.name] = field
        else:
            field = _after(layer, field)
        fields[layer.name] = field
    return fields


def _follow(leaves: tuple[Leaf, ...], field: Field, fields: dict[str, Field]) -> Field:
    """Note the field of each leaf of one way through a block; the last of them is returned."""
    for leaf in leaves:
        field = fields[leaf.name] = _after(leaf, field)
    return field


def _after(leaf: Leaf, field: Field) -> Field:
    """The field after a leaf, from the field before it."""
    if leaf.kind in ("conv2d", "pool"):
        around = reach(leaf.kernel_size, leaf.dilation) - 1
        return Field(field.size + around * field.jump, field.jump * leaf.stride)
    if leaf.kind in ("global_avg_pool", "flatten"):
        _, height, width = leaf.in_shape
        return Field(field.size + (max(height, width) - 1) * field.jump, field.jump)
    return field

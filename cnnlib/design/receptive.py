"""Receptive fields: the part of the image on which one value of a layer depends.

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
        size: Height and width, padding included, so it may exceed the image. After flattening or
            averaging: of all features together, along the longer side.
        jump: Distance between the fields of two neighbours in a feature map.
    """

    size: int = 1
    jump: int = 1


def receptive_fields(plan: Plan) -> dict[str, Field]:
    """Compute the field of each leaf and each block of a plan, by name."""
    fields: dict[str, Field] = {}
    field = Field()
    for layer in plan.layers:
        if isinstance(layer, Residual):
            main = _add_path(layer.main, field, fields)
            shortcut = _add_path(layer.shortcut, field, fields)
            field = Field(max(main.size, shortcut.size), main.jump)
            fields[layer.activation.name] = field
        else:
            field = _field_after(layer, field)
        fields[layer.name] = field
    return fields


def _add_path(leaves: tuple[Leaf, ...], field: Field, fields: dict[str, Field]) -> Field:
    """Add the field of each leaf on one path of a block to `fields`; return the last field."""
    for leaf in leaves:
        field = fields[leaf.name] = _field_after(leaf, field)
    return field


def _field_after(leaf: Leaf, field: Field) -> Field:
    """Compute the field after a leaf from the field before it."""
    if leaf.kind in ("conv2d", "pool"):
        around = reach(leaf.kernel_size, leaf.dilation) - 1
        return Field(field.size + around * field.jump, field.jump * leaf.stride)
    if leaf.kind in ("global_avg_pool", "flatten"):
        _, height, width = leaf.in_shape
        return Field(field.size + (max(height, width) - 1) * field.jump, field.jump)
    return field

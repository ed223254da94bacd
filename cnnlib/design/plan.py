"""`plan`: from a spec to every layer with its shapes, in integer arithmetic, without torch.

The costs, the picture, the torch modules and the exported code are all derived from the plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnnlib.design.assemble import lay_out
from cnnlib.design.layer_builder import LayerFitError
from cnnlib.design.repair import find_repair
from cnnlib.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Generator

    from cnnlib.design.layers import AnyLayer, Leaf
    from cnnlib.design.spec import CNNSpec


@dataclass(frozen=True, slots=True)
class Plan:
    """A spec resolved to layers, in forward order.

    Args:
        layers: Leaves, and residual blocks that hold leaves.
    """

    spec: CNNSpec
    layers: tuple[AnyLayer, ...]

    def walk(self) -> Generator[Leaf]:
        """Yield all leaves; those of a block: main path, shortcut, then the ReLU of the sum."""
        for layer in self.layers:
            yield from layer.leaves()

    def layer(self, name: str) -> AnyLayer:
        """Return the leaf or block of that name.

        Raises:
            SpecError: There is no such layer.
        """
        named = {layer.name: layer for layer in (*self.layers, *self.walk())}
        if name not in named:
            raise SpecError(
                f"The network has no layer {name!r}. Its layers are: {', '.join(named)}. Choose "
                f"one of them."
            )
        return named[name]


def plan(spec: CNNSpec) -> Plan:
    """Resolve a spec to its layers.

    Returns:
        A plan that torch can build, run and train. (Batch norm on 1 x 1 maps needs batches of more
        than one image.)

    Raises:
        SpecError: A layer does not fit. The error names the layer, the sizes and what to change;
            ``repair`` holds the fields to change, with values that fit, where some were found.

    Example:
        >>> from cnnlib.design.spec import CNNSpec
        >>> [layer.out_shape for layer in plan(CNNSpec(channels=(6, 16))).layers if
        ...  layer.kind == "pool"]
        [(6, 14, 14), (16, 7, 7)]
    """
    try:
        return Plan(spec, lay_out(spec))
    except LayerFitError as error:
        repair = find_repair(spec, error)
        raise SpecError(
            str(error),
            layer=error.layer,
            repair=repair.fields if repair else None,
            repair_text=repair.text if repair else None,
        ) from None

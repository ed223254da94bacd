"""`cost`: parameters, operations and memory of a plan, per layer and in total.

Conventions:

- ``params`` are trainable; ``buffers`` (running statistics) are counted apart.
- ``macs`` are the multiply-accumulates of convolutions and linear layers for ONE image, without
  bias; ``flops = 2 * macs``.
- A training step costs ``batch * (3 * forward - forward of the layers fed by the image)`` FLOPs:
  in the backward pass, each layer computes the gradient of its weights and that of its input, each
  at the cost of its forward pass, but the gradient of the image is not computed.
  ``torch.utils.flop_counter`` gives the same number over forward and backward.
- Memory is in bytes of float32 tensors for a whole batch; see `cnnlib.design.memory`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from cnnlib.design import memory
from cnnlib.design.checks import shown
from cnnlib.design.layers import AnyLayer, Leaf, Residual
from cnnlib.design.shapes import reach
from cnnlib.errors import SpecError
from cnnlib.vocabulary.training import OPTIMIZERS

MAX_BATCH_SIZE = 65_536

if TYPE_CHECKING:
    from cnnlib.design.memory import Peak
    from cnnlib.design.plan import Plan


@dataclass(frozen=True, slots=True)
class LayerCost:
    """The cost of one layer.

    Args:
        macs: For one image.
        flops: Forward, for one image.
        output_bytes: Size of the output for the batch; 0 where it is a view of the input.
        saved_bytes: Size of the tensors that it saves for backward, for the batch; a tensor that
            an earlier layer saved is not counted again.
        field: The receptive field of one output value.
    """

    layer: Leaf
    params: int
    buffers: int
    macs: int
    flops: int
    output_bytes: int
    saved_bytes: int
    field: Field


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a network: sums over its layers, and quantities of the whole.

    Args:
        layers: One row per leaf, in forward order.
        macs: For one image.
        flops: Forward, for one image.
        training_step_flops: Forward and backward, for the batch.
        weight_bytes: Parameters and buffers.
        optimizer_bytes: State of the optimiser.
        saved_bytes: Tensors that a training step saves for backward, images included.
        training_peak: The moment of a training step on a batch at which most memory is in use.
        evaluation_peak: The same of the evaluation of a batch.
        receptive_field: Of one value of the last feature map, in pixels; 1 without convolutions.
    """

    batch_size: int
    optimizer: str
    layers: tuple[LayerCost, ...]
    params: int
    buffers: int
    macs: int
    flops: int
    training_step_flops: int
    weight_bytes: int
    optimizer_bytes: int
    saved_bytes: int
    training_peak: Peak
    evaluation_peak: Peak
    receptive_field: int

    @property
    def training_bytes(self) -> int:
        """Bytes of a training step at its peak: weights, gradients, optimiser state, tensors."""
        return self.training_peak.bytes


def cost(plan: Plan, *, batch_size: int = 1, optimizer: str = "sgd") -> Cost:
    """Compute the cost of a plan.

    Args:
        optimizer: A name in `cnnlib.vocabulary.training.OPTIMIZERS`.

    Raises:
        SpecError: A batch of less than one image, or an optimiser that the lab does not know.

    Example:
        >>> from cnnlib import CNNSpec, plan
        >>> cost(plan(CNNSpec(hidden_dims=(100,)))).params
        79510
    """
    _check_arguments(batch_size, optimizer)
    leaves = tuple(plan.walk())
    fields = receptive_fields(plan)
    training_peak, saved = memory.training_memory(plan, batch_size, optimizer)
    rows = tuple(
        _layer_cost(leaf, batch_size, saved[leaf.name], fields[leaf.name]) for leaf in leaves
    )
    params = sum(row.params for row in rows)
    macs = sum(row.macs for row in rows)
    return Cost(
        batch_size=batch_size,
        optimizer=optimizer,
        layers=rows,
        params=params,
        buffers=sum(row.buffers for row in rows),
        macs=macs,
        flops=2 * macs,
        training_step_flops=batch_size * 2 * (3 * macs - _macs_fed_by_image(plan.layers)),
        weight_bytes=training_peak.parts["weights"],
        optimizer_bytes=training_peak.parts["optimizer"],
        saved_bytes=sum(saved.values()),
        training_peak=training_peak,
        evaluation_peak=memory.evaluation_memory(plan, batch_size),
        receptive_field=_last_field(plan, fields).size,
    )


def _check_arguments(batch_size: int, optimizer: str) -> None:
    """Check arguments that may come from user input."""
    is_whole = isinstance(batch_size, int) and not isinstance(batch_size, bool)
    if not is_whole or not 1 <= batch_size <= MAX_BATCH_SIZE:
        raise SpecError(
            f"The batch size is {shown(batch_size)}, but it must be a whole number from 1 to "
            f"{MAX_BATCH_SIZE:,}. Use a number in that range."
        )
    if not isinstance(optimizer, str) or optimizer not in OPTIMIZERS:
        raise SpecError(
            f"The optimizer is {optimizer!r}, but it must be one of these: "
            f"{', '.join(OPTIMIZERS)}. Choose one of them."
        )


def _layer_cost(leaf: Leaf, batch_size: int, saved_bytes: int, field: Field) -> LayerCost:
    """Compute the cost of one leaf."""
    is_view = leaf.kind == "flatten"
    return LayerCost(
        layer=leaf,
        params=leaf.params,
        buffers=leaf.buffers,
        macs=leaf.macs,
        flops=2 * leaf.macs,
        output_bytes=0 if is_view else memory.tensor_bytes(leaf.out_shape, batch_size),
        saved_bytes=saved_bytes,
        field=field,
    )


def _macs_fed_by_image(layers: tuple[AnyLayer, ...]) -> int:
    """Sum the MACs of the layers that take the image, as it is, averaged or flattened."""
    for layer in layers:
        if isinstance(layer, Residual):
            if any(leaf.params for leaf in layer.before):
                return 0
            ends = (next(leaf for leaf in layer.main if leaf.params), *layer.shortcut[:1])
            return sum(leaf.macs for leaf in ends)
        if layer.params:
            return layer.macs
    raise AssertionError("every network has a convolution or a linear layer")


def larger_than_image(size: int, in_size: tuple[int, int, int]) -> str:
    """Explain a receptive field that is larger than the picture, in a sentence; "" for others.

    Example:
        >>> larger_than_image(10, (1, 28, 28))
        ''
    """
    side = max(in_size[1:])
    if size <= side:
        return ""
    return (
        f"A receptive field larger than the picture ({size:,} of {side:,} pixels) is the size on a "
        f"picture without edges; what lies outside the real picture is padding."
    )


def _last_field(plan: Plan, fields: dict[str, Field]) -> Field:
    """Return the receptive field at the end of the convolutional part."""
    features = [layer for layer in plan.layers if layer.name.startswith("features.")]
    return fields[features[-1].name] if features else Field()


@dataclass(frozen=True, slots=True)
class Field:
    """A receptive field, in pixels of the image.

    Args:
        size: Height and width, padding included, so it may exceed the image. After flattening or
            averaging: of all features together, along the longer side.
        jump: Distance between the fields of two neighbours in a feature map.
        before: From the start of the first field, in the padding, to the start of the image.
    """

    size: int = 1
    jump: int = 1
    before: int = 0


def receptive_fields(plan: Plan) -> dict[str, Field]:
    """Compute the field of each leaf and each block of a plan, by name.

    The recursion is that of Araujo, Norris and Sim, "Computing receptive fields of convolutional
    neural networks", Distill 2019: a window of reach r adds (r - 1) jumps, a stride multiplies the
    jump. Where a window is not square, it is the longer side of the field.
    """
    rows = _axis_fields(plan, 0)
    windows = (leaf.kernel_size for leaf in plan.walk() if leaf.kind == "conv2d")
    if all(height == width for height, width in windows):
        return rows
    columns = _axis_fields(plan, 1)
    return {name: max(rows[name], columns[name], key=lambda field: field.size) for name in rows}


def _axis_fields(plan: Plan, axis: Literal[0, 1]) -> dict[str, Field]:
    """Compute the height (axis 0) or the width (axis 1) of each field (see `receptive_fields`)."""
    fields: dict[str, Field] = {}
    field = Field()
    for layer in plan.layers:
        if isinstance(layer, Residual):
            field = _add_path(layer.before, field, axis, fields)
            main = _add_path(layer.main, field, axis, fields)
            shortcut = _add_path(layer.shortcut, field, axis, fields)
            field = Field(max(main.size, shortcut.size), main.jump, main.before)
            field = fields[layer.name] = _add_path(layer.after, field, axis, fields)
        else:
            field = _add_path((layer,), field, axis, fields)
    return fields


def _add_path(
    leaves: tuple[Leaf, ...], field: Field, axis: Literal[0, 1], fields: dict[str, Field]
) -> Field:
    """Add the field of each leaf on one path to `fields`; return the last field."""
    for leaf in leaves:
        field = fields[leaf.name] = _field_after(leaf, field, axis)
    return field


def _field_after(leaf: Leaf, field: Field, axis: Literal[0, 1]) -> Field:
    """Compute the field after a leaf from the field before it."""
    match leaf.kind:
        case "conv2d":
            window = (leaf.kernel_size[axis], leaf.dilation, leaf.padding[axis])
        case "pool":
            window = (leaf.kernel_size, leaf.dilation, leaf.padding)
        case "pad_channels":
            window = (1, 1, 0)
        case "global_avg_pool" | "flatten":
            _, height, width = leaf.in_shape
            return replace(field, size=field.size + (max(height, width) - 1) * field.jump)
        case _:
            return field
    kernel_size, dilation, padding = window
    size = field.size + (reach(kernel_size, dilation) - 1) * field.jump
    return Field(size, field.jump * leaf.stride, field.before + padding * field.jump)

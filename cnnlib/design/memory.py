"""The memory of a plan's tensors: float32, contiguous, on the CPU.

*Saved for backward* are the distinct tensors that ``torch.autograd.graph.saved_tensors_hooks``
reports in one training step: forward in training mode, then mean cross-entropy without label
smoothing. Tensors that share storage count once. Parameters and buffers do not count, because they
are in memory anyway. The batch of images counts, because the first layer saves it.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from cnnlib.design.layers import Leaf, Norm, Residual, Shape
from cnnlib.vocabulary.layers import ACTIVATIONS, NORMS, POOLINGS
from cnnlib.vocabulary.training import OPTIMIZERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cnnlib.design.plan import Plan

FLOAT_BYTES = 4
INT64_BYTES = 8

LOSS = "loss"  # key of the cross-entropy in `saved_bytes`


def tensor_bytes(shape: Shape, batch_size: int) -> int:
    """Return the bytes of a batch of float32 values."""
    return batch_size * prod(shape) * FLOAT_BYTES


def weight_bytes(leaves: Iterable[Leaf]) -> int:
    """Return the bytes of all parameters and buffers; a batch norm counts its batches in int64."""
    return sum(
        (leaf.params + leaf.buffers) * FLOAT_BYTES
        + bool(leaf.buffers) * (INT64_BYTES - FLOAT_BYTES)
        for leaf in leaves
    )


def optimizer_bytes(leaves: Sequence[Leaf], optimizer: str) -> int:
    """Return the bytes of the state that an optimiser keeps after a step."""
    rule = OPTIMIZERS[optimizer]
    sizes = [size for leaf in leaves for size in leaf.param_sizes]
    values = sum(rule.state_copies * size + rule.step_counts for size in sizes)
    if rule.hidden_copies is not None:
        *hidden, _ = [leaf.param_sizes[0] for leaf in leaves if leaf.kind in ("conv2d", "linear")]
        fewer = rule.state_copies - rule.hidden_copies
        values -= sum(fewer * size + rule.step_counts for size in hidden)
    return FLOAT_BYTES * values


def saved_bytes(plan: Plan, batch_size: int) -> dict[str, int]:
    """Return the bytes saved for backward by leaf name; each tensor counts where it is saved first.

    The last entry, `LOSS`, is that of the cross-entropy: log-probabilities, labels, one weight.
    """
    saved = _SavedTensors(batch_size)
    tensor = "image"
    for layer in plan.layers:
        if isinstance(layer, Residual):
            saved.add_leaves(layer.main, tensor)
            saved.add_leaves(layer.shortcut, tensor)
            tensor = saved.add_leaves((layer.activation,), f"{layer.name} sum")
        else:
            tensor = saved.add_leaves((layer,), tensor)
    loss = tensor_bytes((plan.spec.out_classes,), batch_size) + batch_size * INT64_BYTES
    return saved.by_leaf | {LOSS: loss + FLOAT_BYTES}


class _SavedTensors:
    """The tensors saved so far, each under the name of the leaf that computes it."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.tensors: set[str] = set()
        self.by_leaf: dict[str, int] = {}

    def add_leaves(self, leaves: Iterable[Leaf], tensor: str) -> str:
        """Add the tensors that each leaf saves; returns the name of the last leaf's output."""
        for leaf in leaves:
            saves = _tensors_saved_by(leaf, tensor, self.batch_size)
            self.by_leaf[leaf.name] = sum(n for t, n in saves.items() if t not in self.tensors)
            self.tensors.update(saves)
            tensor = tensor if leaf.kind == "flatten" else leaf.name  # flattening is a view
        return tensor


def _tensors_saved_by(leaf: Leaf, tensor: str, batch_size: int) -> dict[str, int]:
    """Return the tensors that autograd saves for a leaf with input `tensor`: name -> bytes."""
    given = {tensor: tensor_bytes(leaf.in_shape, batch_size)}
    match leaf.kind:
        case "conv2d" | "linear":
            return given
        case "norm":
            assert isinstance(leaf, Norm)
            return given | {f"{leaf.name} statistics": _statistics_bytes(leaf, batch_size)}
        case "activation" if ACTIVATIONS[leaf.activation].saves_output:
            return {leaf.name: tensor_bytes(leaf.out_shape, batch_size)}
        case "activation":
            return given
        case "pool" if POOLINGS[leaf.pooling].saves_indices:
            indices = batch_size * prod(leaf.out_shape) * INT64_BYTES
            return given | {f"{leaf.name} indices": indices}
        case "pool":
            return given
        case "dropout":
            mask = leaf.in_shape[:1] if leaf.per_channel else leaf.in_shape
            return {f"{leaf.name} mask": tensor_bytes(mask, batch_size)}
        case "global_avg_pool" | "flatten":
            return {}
    raise AssertionError(f"nothing is written about what {leaf.kind} saves")


def _statistics_bytes(norm: Norm, batch_size: int) -> int:
    """Return the bytes that are saved for each mean: itself, its inverse deviation, and more."""
    kind = NORMS[norm.norm]
    images = batch_size if kind.is_per_image else 1
    return kind.saved_statistics * images * norm.groups * FLOAT_BYTES


def peak_forward_bytes(plan: Plan, batch_size: int) -> int:
    """Return the peak memory of a forward pass without gradients (evaluation).

    A layer needs its input and its output; a block also holds its own input to the end, and adds
    main path and shortcut into a third tensor. Dropout and flattening allocate nothing.
    """
    peak = 0
    for layer in plan.layers:
        if isinstance(layer, Residual):
            values = _peak_of_block(layer)
        else:
            values = prod(layer.in_shape) + _new_values(layer)
        peak = max(peak, values)
    return batch_size * peak * FLOAT_BYTES


def _peak_of_block(block: Residual) -> int:
    """Return the most values of one image that a block holds at once, its input included."""
    held = prod(block.in_shape)
    out = prod(block.out_shape)
    main = _peak_of_path(block.main)
    shortcut = out + _peak_of_path(block.shortcut)
    both_and_sum = 2 * out + (out if block.shortcut else 0)
    return held + max(main, shortcut, both_and_sum)


def _peak_of_path(leaves: tuple[Leaf, ...]) -> int:
    """Return the most values that leaves hold at once, the input of the first not included."""
    peak = given = 0
    for leaf in leaves:
        made = _new_values(leaf)
        peak = max(peak, given + made)
        given = made or given
    return peak


def _new_values(leaf: Leaf) -> int:
    """Return how many values of one image a leaf allocates in evaluation."""
    return 0 if leaf.kind in ("flatten", "dropout") else prod(leaf.out_shape)

"""The memory of a training step and of an evaluation: every tensor from its making to its last use.

A step is written as a list of operations: forward, loss, backward and update, in the order in which
the engine runs them (`cnnlib.nets.training_form`: a ReLU comes after a max pooling that follows it,
and overwrites its input). Each operation names the tensors that it reads, and makes others. A
tensor is alive from the operation that makes it to the last that reads it; so the sum over the
tensors alive has a peak, which stands at one operation. Float32, contiguous, on the CPU; what a
kernel allocates for itself is not counted.

*Saved for backward* are the distinct tensors that ``torch.autograd.graph.saved_tensors_hooks``
reports in one training step: forward in training mode, then mean cross-entropy without label
smoothing. Tensors that share storage count once. Parameters and buffers do not count, because they
are in memory anyway. The batch of images counts, because the first layer saves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from cnnlib.design.layer_words import layer_in_words
from cnnlib.design.layers import (
    AnyLayer,
    Conv2d,
    Leaf,
    Norm,
    Residual,
    Shape,
    gives_view,
    training_order,
)
from cnnlib.vocabulary.layers import ACTIVATIONS, NORMS, POOLINGS
from cnnlib.vocabulary.training import OPTIMIZERS

if TYPE_CHECKING:
    from cnnlib.design.plan import Plan

    Made = Mapping[str, tuple["Part", int]]  # tensors: name -> part and bytes

FLOAT_BYTES = 4
INT64_BYTES = 8

LOSS = "loss"  # name of the cross-entropy among the layers
IMAGES, LABELS = "images", "labels"

Part = Literal[
    "weights",
    "optimizer",
    "gradients",
    "images",
    "activations",
    "activation_gradients",
    "update",
    "counts",
]
PARTS: Mapping[Part, str] = {
    "weights": "weights",
    "optimizer": "optimiser state",
    "gradients": "gradients of the weights",
    "images": "pictures and labels",
    "activations": "outputs of layers",
    "activation_gradients": "gradients of outputs",
    "update": "update of the weights",
    "counts": "confusion table",
}
Phase = Literal["forward", "loss", "backward", "update"]

NOTHING: Made = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Peak:
    """The moment at which most memory is in use, in bytes.

    Args:
        phase: What runs then.
        layer: Name of the layer that runs then; "" while the weights are updated.
        parts: Bytes of each part of the memory; they add up to `bytes`.
    """

    phase: Phase
    layer: str
    parts: Mapping[Part, int]

    @property
    def bytes(self) -> int:
        """All bytes in use."""
        return sum(self.parts.values())

    @property
    def moment(self) -> str:
        """Description of the moment: ``backward pass of the second convolution``."""
        if self.phase == "loss":
            return "computation of the loss"
        if self.phase == "update":
            return "update of the weights"
        return f"{self.phase} pass of {layer_in_words(self.layer)}"

    def labelled(self) -> list[tuple[str, int]]:
        """Return label and bytes of each part that is there, in the order of `PARTS`."""
        return [(label, size) for part, label in PARTS.items() if (size := self.parts.get(part))]


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
        fewer = rule.state_copies - rule.hidden_copies
        values -= sum(fewer * size + rule.step_counts for size, _ in _hidden_matrices(leaves))
    return FLOAT_BYTES * values


def _hidden_matrices(leaves: Sequence[Leaf]) -> list[tuple[int, int]]:
    """Return values and rows of the weights of convolutions and linear layers but the last."""
    matrices = [
        (leaf.param_sizes[0], leaf.out_shape[0])
        for leaf in leaves
        if leaf.kind in ("conv2d", "linear")
    ]
    return matrices[:-1]


def _update_bytes(leaves: Sequence[Leaf], optimizer: str) -> int:
    """Return the bytes that the update of the weights needs besides gradients and state.

    Torch's fused kernels need none. Muon needs the updates of all its matrices, and for the matrix
    in work (r rows, c columns, r <= c) the larger of two moments of `optimizers.orthogonal`.
    """
    if OPTIMIZERS[optimizer].hidden_copies is None:
        return 0
    matrices = _hidden_matrices(leaves)
    work = (
        max(size + 6 * side**2, 2 * size + 3 * side**2)
        for size, rows in matrices
        for side in [min(rows, size // rows)]
    )
    return FLOAT_BYTES * (sum(size for size, _ in matrices) + max(work, default=0))


def training_memory(plan: Plan, batch_size: int, optimizer: str) -> tuple[Peak, dict[str, int]]:
    """Follow the tensors of a training step on one batch of images.

    Returns:
        The peak, and the bytes saved for backward by leaf name; each tensor counts where it is
        saved first. The entry `LOSS` is that of the cross-entropy: log-probabilities, labels, one
        weight.
    """
    leaves = tuple(plan.walk())
    step = _TrainingStep(batch_size)
    step.make_batch(plan.spec.in_size)
    logits, tape = step.forward(training_order(plan.layers), IMAGES)
    gradient = step.loss(logits, plan.spec.out_classes)
    step.backward(tape, gradient)
    update = _update_bytes(leaves, optimizer)
    step.run("update", "", makes={"update": ("update", update)})
    step.keep(IMAGES, LABELS, logits, *step.of_part("gradients"))
    held: dict[Part, int] = {
        "weights": weight_bytes(leaves),
        "optimizer": optimizer_bytes(leaves, optimizer),
    }
    return step.peak(held), step.saved_by_leaf


def evaluation_memory(plan: Plan, batch_size: int) -> Peak:
    """Follow the tensors of the evaluation of one batch of images, without gradients."""
    timeline = _Evaluation(batch_size)
    timeline.make_batch(plan.spec.in_size)
    features = [layer for layer in plan.layers if layer.name.startswith("features.")]
    maps = timeline.forward(features, IMAGES)
    logits = timeline.forward(plan.layers[len(features) :], maps)
    timeline.keep(maps)  # by the callers, until the network returns
    counts = plan.spec.out_classes**2 * INT64_BYTES  # a confusion table
    batch: Made = {"batch counts": ("counts", counts + 2 * batch_size * INT64_BYTES)}
    timeline.run("loss", LOSS, reads=(IMAGES, LABELS, logits), makes=batch)
    return timeline.peak({"weights": weight_bytes(plan.walk()), "counts": counts})


@dataclass(slots=True)
class _Life:
    """A tensor, from the operation that makes it to the last one that needs it."""

    part: Part
    bytes: int
    born: int
    last: int


class _Timeline:
    """Operations in their order, and the life of each tensor."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.moments: list[tuple[Phase, str]] = []
        self.lives: dict[str, _Life] = {}

    def make_batch(self, in_size: Shape) -> None:
        """Make the images and their labels."""
        self.make(IMAGES, "images", tensor_bytes(in_size, self.batch_size))
        self.make(LABELS, "images", self.batch_size * INT64_BYTES)

    def make(self, name: str, part: Part, size: int) -> None:
        """Make a tensor at the present operation."""
        now = max(0, len(self.moments) - 1)
        self.lives[name] = _Life(part, size, now, now)

    def run(
        self,
        phase: Phase,
        layer: str,
        reads: Iterable[str] = (),
        makes: Made = NOTHING,
    ) -> None:
        """Add an operation with the tensors that it reads and makes."""
        self.moments.append((phase, layer))
        for name, (part, size) in makes.items():
            self.make(name, part, size)
        self.keep(*reads)

    def keep(self, *names: str) -> None:
        """Keep tensors alive up to the present operation."""
        for name in names:
            self.lives[name].last = len(self.moments) - 1

    def of_part(self, part: Part) -> list[str]:
        """Return the names of the tensors of one part."""
        return [name for name, life in self.lives.items() if life.part == part]

    def peak(self, held: Mapping[Part, int]) -> Peak:
        """Return the first moment of most bytes; `held` is in memory all the time."""
        changes = [0] * (len(self.moments) + 1)
        for life in self.lives.values():
            changes[life.born] += life.bytes
            changes[life.last + 1] -= life.bytes
        totals = list(accumulate(changes))
        at = totals.index(max(totals))
        parts = dict(held)
        for life in self.lives.values():
            if life.born <= at <= life.last:
                parts[life.part] = parts.get(life.part, 0) + life.bytes
        phase, layer = self.moments[at]
        return Peak(phase, layer, parts)


@dataclass(frozen=True, slots=True)
class _LeafRecord:
    """What the backward pass of a leaf needs: the tensors that its forward pass saved."""

    leaf: Leaf
    saved: tuple[str, ...]
    has_input_gradient: bool


@dataclass(frozen=True, slots=True)
class _BlockRecord:
    """The same of a residual block, and whether the tensor where its paths part has a gradient."""

    block: Residual
    before: _Tape
    main: _Tape
    shortcut: _Tape
    after: _Tape
    has_gradient: bool


_Tape = list["_LeafRecord | _BlockRecord"]


class _TrainingStep(_Timeline):
    """The operations of a training step."""

    def __init__(self, batch_size: int) -> None:
        super().__init__(batch_size)
        self.saved_by_leaf: dict[str, int] = {}
        self._saved: set[str] = set()
        self._depends_on_weights: set[str] = set()
        self._kept: set[str] = set()  # outputs that nothing overwrites

    def forward(self, layers: Iterable[AnyLayer], tensor: str) -> tuple[str, _Tape]:
        """Add the forward pass; return the last output, and what the backward pass needs."""
        tape: _Tape = []
        record: _LeafRecord | _BlockRecord
        for layer in layers:
            if isinstance(layer, Residual):
                tensor, record = self._forward_block(layer, tensor)
            else:
                tensor, record = self._forward_leaf(layer, tensor)
            tape.append(record)
        return tensor, tape

    def _forward_block(self, block: Residual, tensor: str) -> tuple[str, _BlockRecord]:
        self._kept.add(tensor)
        given, before = self.forward(block.before, tensor)
        total, main = self.forward(training_order(block.main), given)
        start = given if block.is_projected else tensor
        other, shortcut = self.forward(block.shortcut, start)
        added = self._make_sum(block, total)
        self.run("forward", block.name, reads=(tensor, given, total, other), makes=added)
        total = next(iter(added), total)
        if tensor in self._depends_on_weights or block.params:
            self._depends_on_weights.add(total)
        total, after = self.forward(block.after, total)
        has_gradient = start in self._depends_on_weights
        return total, _BlockRecord(block, before, main, shortcut, after, has_gradient)

    def _make_sum(self, block: Residual, total: str) -> Made:
        """Return the tensor of the sum; none where it overwrites the main path's output."""
        if total not in self._kept:
            return {}
        return {
            f"{block.name} sum": ("activations", tensor_bytes(block.out_shape, self.batch_size))
        }

    def _forward_leaf(self, leaf: Leaf, tensor: str) -> tuple[str, _LeafRecord]:
        is_inner = tensor in self._depends_on_weights
        overwrites = _is_relu(leaf) and tensor not in self._kept
        output = tensor if leaf.kind == "flatten" or overwrites else leaf.name
        is_recorded = bool(leaf.params) or is_inner  # else no gradient passes
        saves = _tensors_saved_by(leaf, tensor, output, self.batch_size) if is_recorded else {}
        made = {name: size for name, size in saves.items() if name not in self.lives}
        if output not in self.lives:
            made[output] = tensor_bytes(leaf.out_shape, self.batch_size)
        if gives_view(leaf):
            self._kept.add(output)
        if is_recorded:
            self._depends_on_weights.add(output)
        self.saved_by_leaf[leaf.name] = sum(
            size for name, size in saves.items() if name not in self._saved
        )
        self._saved.update(saves)
        makes: Made = {n: ("activations", size) for n, size in made.items()}
        self.run("forward", leaf.name, reads=(tensor,), makes=makes)
        return output, _LeafRecord(leaf, tuple(saves), is_inner)

    def loss(self, logits: str, classes: int) -> str:
        """Add the cross-entropy and its backward pass; return the gradient of the logits."""
        size = tensor_bytes((classes,), self.batch_size)
        self.saved_by_leaf[LOSS] = size + self.batch_size * INT64_BYTES + FLOAT_BYTES
        self.run(
            "loss",
            LOSS,
            reads=(logits,),
            makes={"log-probabilities": ("activations", size)},
        )
        scores, gradient = f"gradient of {LOSS}", f"gradient of {logits}"
        self.run("backward", LOSS, makes={scores: ("activation_gradients", size)})
        self.run(
            "backward",
            LOSS,
            reads=(scores, "log-probabilities"),
            makes={gradient: ("activation_gradients", size)},
        )
        return gradient

    def backward(self, tape: _Tape, gradient: str) -> str:
        """Add the backward pass; return the gradient of the input, and where there is none the
        last gradient.
        """
        for record in reversed(tape):
            if isinstance(record, _BlockRecord):
                gradient = self._backward_block(record, gradient)
            else:
                gradient = self._backward_leaf(record, gradient)
        return gradient

    def _backward_block(self, record: _BlockRecord, gradient: str) -> str:
        gradient = self.backward(record.after, gradient)
        of_shortcut = self.backward(record.shortcut, gradient)
        of_main = self.backward(record.main, gradient)
        if record.block.is_projected:
            if record.has_gradient:
                self._add_gradients(record, of_shortcut, of_main)
            return self.backward(record.before, of_shortcut)
        of_main = self.backward(record.before, of_main)
        if record.has_gradient:
            self._add_gradients(record, of_shortcut, of_main)
        return of_shortcut

    def _add_gradients(self, record: _BlockRecord, *gradients: str) -> None:
        """Add the gradients of both paths, in place."""
        self.run("backward", record.block.name, reads=gradients)

    def _backward_leaf(self, record: _LeafRecord, gradient: str) -> str:
        leaf = record.leaf
        makes: dict[str, tuple[Part, int]] = {
            f"gradient of {leaf.name} {i}": ("gradients", size * FLOAT_BYTES)
            for i, size in enumerate(leaf.param_sizes)
        }
        of_input = gradient
        if record.has_input_gradient and leaf.kind != "flatten":
            of_input = f"gradient into {leaf.name}"
            is_padded = leaf.kind == "conv2d" and any(leaf.more_padding)
            shape = _padded_shape(leaf) if is_padded else leaf.in_shape
            makes[of_input] = ("activation_gradients", tensor_bytes(shape, self.batch_size))
        if makes:
            self.run("backward", leaf.name, reads=(gradient, *record.saved), makes=makes)
        return of_input


class _Evaluation(_Timeline):
    """The operations of an evaluation."""

    def forward(self, layers: Iterable[AnyLayer], tensor: str) -> str:
        """Add layers; return the name of the last output."""
        for layer in layers:
            if isinstance(layer, Residual):
                tensor = self._block(layer, tensor)
            elif layer.kind not in ("flatten", "dropout"):
                self._leaf(layer, tensor)
                tensor = layer.name
        return tensor

    def _leaf(self, leaf: Leaf, tensor: str) -> None:
        makes = _copies_made_by(leaf, self.batch_size)
        makes[leaf.name] = tensor_bytes(leaf.out_shape, self.batch_size)
        made: Made = {name: ("activations", size) for name, size in makes.items()}
        self.run("forward", leaf.name, reads=(tensor,), makes=made)

    def _block(self, block: Residual, tensor: str) -> str:
        given = self.forward(block.before, tensor)
        main = self.forward(block.main, given)
        self.keep(tensor, given)
        shortcut = self.forward(block.shortcut, given if block.is_projected else tensor)
        size = tensor_bytes(block.out_shape, self.batch_size)
        makes: Made = {block.name: ("activations", size)}
        self.run("forward", block.name, reads=(tensor, given, main, shortcut), makes=makes)
        return block.name  # the ReLU overwrites the sum


def _is_relu(leaf: Leaf) -> bool:
    return leaf.kind == "activation" and leaf.activation == "relu"


def _tensors_saved_by(leaf: Leaf, tensor: str, output: str, batch_size: int) -> dict[str, int]:
    """Return the tensors that autograd saves for a leaf: name -> bytes."""
    given = {tensor: tensor_bytes(leaf.in_shape, batch_size)}
    match leaf.kind:
        case "conv2d" if any(leaf.more_padding):
            return _copies_made_by(leaf, batch_size)
        case "conv2d" | "linear":
            return given
        case "norm":
            assert isinstance(leaf, Norm)
            return given | {f"{leaf.name} statistics": _statistics_bytes(leaf, batch_size)}
        case "activation" if ACTIVATIONS[leaf.activation].saves_output:
            return {output: tensor_bytes(leaf.out_shape, batch_size)}
        case "activation":
            return given
        case "pool":
            return given | _copies_made_by(leaf, batch_size)
        case "dropout":
            mask = leaf.in_shape[:1] if leaf.per_channel else leaf.in_shape
            return {f"{leaf.name} mask": tensor_bytes(mask, batch_size)}
        case "global_avg_pool" | "flatten" | "pad_channels":
            return {}
    raise AssertionError(f"nothing is written about what {leaf.kind} saves")


def _copies_made_by(leaf: Leaf, batch_size: int) -> dict[str, int]:
    """Return the tensors that torch makes for a leaf besides its output: name -> bytes.

    (A batch norm has statistics of its own only in training.)
    """
    if leaf.kind == "conv2d" and any(leaf.more_padding):
        return {f"{leaf.name} padded": tensor_bytes(_padded_shape(leaf), batch_size)}
    if leaf.kind == "pool" and POOLINGS[leaf.pooling].saves_indices:
        return {f"{leaf.name} indices": batch_size * prod(leaf.out_shape) * INT64_BYTES}
    if leaf.kind == "norm" and NORMS[leaf.norm].is_per_image:
        return {f"{leaf.name} statistics": _statistics_bytes(leaf, batch_size)}
    return {}


def _padded_shape(conv: Leaf) -> Shape:
    """Return the shape of the copy of its input that torch pads below and on the right."""
    assert isinstance(conv, Conv2d)
    channels, height, width = conv.in_shape
    below, right = conv.more_padding
    return (channels, height + below, width + right)


def _statistics_bytes(norm: Norm, batch_size: int) -> int:
    """Return the bytes that are saved for each mean: itself, its inverse deviation, and more."""
    kind = NORMS[norm.norm]
    images = batch_size if kind.is_per_image else 1
    return kind.saved_statistics * images * norm.groups * FLOAT_BYTES

"""`plan`: from a spec to every layer with its shapes, in integer arithmetic, without torch.

The costs, the picture, the torch modules and the exported code are all derived from the plan.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from itertools import islice
from math import gcd
from typing import Any

from cnnlib.design.assemble import lay_out
from cnnlib.design.checks import shown
from cnnlib.design.field_labels import FIELD_LABELS
from cnnlib.design.layer_builder import LayerFitError
from cnnlib.design.layers import AnyLayer, Leaf
from cnnlib.design.spec import CNNSpec, Stem
from cnnlib.errors import SpecError


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


_MAX_TRIALS = 60  # a page waits for the result, and a trial of the largest network takes 3 ms


@dataclass(frozen=True)
class Repair:
    """A change of a spec after which its layers fit.

    Args:
        fields: The spec's fields that change, with their new values.
        text: Description of the change: ``"pool every 2 instead of 1"``.
    """

    fields: dict[str, Any]
    text: str


def find_repair(spec: CNNSpec, error: LayerFitError) -> Repair | None:
    """Find a change of one field that makes the layers fit, else one of as few as possible.

    Args:
        error: The error that `lay_out` raised for the spec.

    Returns:
        None where no change was found.
    """
    trials = (
        replace(spec, **{name: value})
        for name in error.repair_fields
        for value in _candidates(spec, name)
    )
    repaired = next(filter(_can_plan, islice(trials, _MAX_TRIALS)), None)
    repaired = repaired or _repair_many_fields(spec)
    return _build_repair(spec, repaired) if repaired else None


def _can_plan(spec: CNNSpec) -> bool:
    """Return whether all layers fit."""
    try:
        lay_out(spec)
    except LayerFitError:
        return False
    return True


def _repair_many_fields(spec: CNNSpec) -> CNNSpec | None:
    """Set all fields that can fail to safe values, then restore each that may keep its own."""
    safe_values: dict[str, Any] = {
        "channels": tuple(min(width, 64) for width in spec.channels),
        "hidden_dims": tuple(min(width, 512) for width in spec.hidden_dims),
        "kernel_size": 3,
        "pool_every": 0,
        "norm": "none" if spec.norm == "none" else "batch",
        "norm_groups": 1,
        "stem": _safe_stem(spec.stem),
        "padding": "same",
        "stride": 1,
        "block_stride": 1,
        "dilation": 1,
        "pool_kernel_size": 2,
        "pool_stride": None,
        "pool_padding": 0,
        "pool_dilation": 1,
        "head": "gap",
        "shortcut": "conv",
    }
    repaired = replace(spec, **safe_values)
    if not _can_plan(repaired):
        return None
    for name in safe_values:
        restored = replace(repaired, **{name: getattr(spec, name)})
        repaired = restored if _can_plan(restored) else repaired
    return repaired


def _safe_stem(stem: Stem | None) -> Stem | None:
    """Return a 3 x 3 stem of stride 1, of as many channels."""
    return Stem(stem.channels, bias=stem.bias) if stem else None


def _candidates(spec: CNNSpec, name: str) -> Iterable[Any]:
    """Return values of a field that may make a layer fit, the nearest to the present one first."""
    match name:
        case "pool_every":
            longest = (
                max(spec.pool_every) if isinstance(spec.pool_every, tuple) else spec.pool_every
            )
            return (*range(longest + 1, len(spec.channels) + 1), 0)
        case "padding":
            return ("same",)
        case "kernel_size":
            return _smaller_kernels(spec)
        case "stride" | "dilation" | "pool_dilation":
            return (1,)
        case "pool_kernel_size":
            return range(spec.pool_kernel_size - 1, 0, -1)
        case "pool_padding":
            return (spec.pool_kernel_size // 2,)
        case "norm_groups":
            return _smaller_groups(spec)
        case "norm":
            return ("batch",)
        case "head":
            return ("gap",)
        case "shortcut":
            return ("conv",)
        case "channels" if spec.head == "gap_only" and spec.channels:
            return ((*spec.channels[:-1], spec.out_classes),)
        case "hidden_dims" if spec.head == "gap_only":
            return ((),)
        case "stem":
            return (_safe_stem(spec.stem),)
        case "hidden_dims" | "channels":
            widths = getattr(spec, name)
            return (tuple(max(1, width >> half) for width in widths) for half in range(1, 13))
    raise AssertionError(f"no candidates are written for {name}")


def _smaller_kernels(spec: CNNSpec) -> Generator[tuple[int, ...]]:
    """Yield kernel sizes with even ones made odd; then with limits that fall by 2, down to 1."""
    sides = (max(size) if isinstance(size, tuple) else size for size in spec.each("kernel_size"))
    sizes = tuple(side if side % 2 else max(3, side - 1) for side in sides)
    yield sizes
    for largest in range(max(sizes, default=1) - 2, 0, -2):
        yield tuple(min(size, largest) for size in sizes)


def _smaller_groups(spec: CNNSpec) -> Iterable[int]:
    """Return numbers of groups that divide the channels of every convolution, descending."""
    shared = gcd(*spec.channels, spec.stem.channels if spec.stem else 0)
    return (groups for groups in range(spec.norm_groups - 1, 0, -1) if shared % groups == 0)


def _build_repair(spec: CNNSpec, repaired: CNNSpec) -> Repair:
    """Return the fields in which two specs differ, and a description of the change."""
    before, after = spec.to_dict(), repaired.to_dict()
    names = [name for name in after if after[name] != before[name]]
    fields = {name: getattr(repaired, name) for name in names}
    return Repair(fields, " and ".join(_describe_change(n, before[n], after[n]) for n in names))


def _describe_change(name: str, before: Any, after: Any) -> str:
    """Describe the change of one field."""
    if name == "pool_every" and after == 0:
        return "no pooling (pool every 0)"
    if name == "stem":
        return "a 3 x 3 stem of stride 1"
    if name == "padding":
        return 'padding "same"'
    if name == "head":
        return (
            f"global average instead of {'flatten' if before == 'flatten' else 'no linear layer'}"
        )
    return f"{FIELD_LABELS[name].lower()} {_format_value(after)} instead of {_format_value(before)}"


def _format_value(value: Any) -> str:
    """Format a value for a reader; None is the default of the pooling stride."""
    if value is None:
        return "equal to the window"
    return value if isinstance(value, str) else shown(value)

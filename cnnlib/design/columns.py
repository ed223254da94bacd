"""The columns of a network unfolded from left to right: input, feature maps, vectors, answers.

A convolution, a residual block, a global pooling or a linear layer begins a column; norms,
activations, poolings and dropouts after it belong to it. So the columns partition the layers of a
plan, and a column shows the output of its last layer.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import Any, Literal

from cnnlib.design.cost import cost
from cnnlib.design.layers import AnyLayer, Shape
from cnnlib.design.link import encode
from cnnlib.design.plan import Plan, plan
from cnnlib.design.spec import CNNSpec
from cnnlib.errors import SpecError
from cnnlib.vocabulary.layers import ACTIVATIONS, NORMS, POOLINGS

ColumnKind = Literal["input", "maps", "vector", "answers"]
_OPENING = ("conv2d", "residual", "linear", "global_avg_pool")
FEWEST_FOLDED = 3  # equal neighbours that are folded into one


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Args:
        kind: "maps" are C x H x W, "vector" and "answers" are flat.
        layer: Name of the layer whose output it shows; "" for the input.
        shape: Shape of that output.
        layers: Names of its layers, in forward order; a residual block is one of them.
        params, macs: Sums over its layers.
        after: Words for its norms, activations, poolings and dropouts: ``("ReLU", "max pool")``.
        is_block: Whether it is a residual block, with a skip around it.
    """

    kind: ColumnKind
    layer: str
    shape: Shape
    layers: tuple[str, ...] = ()
    params: int = 0
    macs: int = 0
    is_block: bool = False
    after: tuple[str, ...] = ()


def columns(plan: Plan) -> tuple[Column, ...]:
    """Divide a plan into columns, in forward order.

    Example:
        >>> from cnnlib import CNNSpec, plan
        >>> [(column.kind, column.shape) for column in columns(plan(CNNSpec(channels=(6,))))]
        [('input', (1, 28, 28)), ('maps', (6, 14, 14)), ('answers', (10,))]
    """
    found = [Column("input", "", plan.spec.in_size)]
    groups = _group(plan.layers)
    last = len(groups) - 1
    found += [_build_column(group, is_last=place == last) for place, group in enumerate(groups)]
    return tuple(found)


def _group(layers: tuple[AnyLayer, ...]) -> list[list[AnyLayer]]:
    """Divide layers into columns; those after a flattening belong to the next linear layer."""
    groups: list[list[AnyLayer]] = []
    flat: list[AnyLayer] = []
    for layer in layers:
        if layer.kind in _OPENING:
            groups.append([*flat, layer])
            flat = []
        elif flat or layer.kind == "flatten":
            flat.append(layer)
        else:
            groups[-1].append(layer)
    return groups


def folds(found: tuple[Column, ...]) -> tuple[tuple[int, int], ...]:
    """Return the runs of at least three equal columns, as place of the first and count."""
    runs: list[tuple[int, int]] = []
    start = 0
    for _, group in groupby(found, key=_fold_key):
        count = len(list(group))
        if count >= FEWEST_FOLDED:
            runs.append((start, count))
        start += count
    return tuple(runs)


def _build_column(group: list[AnyLayer], *, is_last: bool) -> Column:
    shape = group[-1].out_shape
    is_pooled = group[0].kind == "global_avg_pool"
    kind: ColumnKind = "vector" if is_pooled or len(shape) == 1 else "maps"
    return Column(
        kind="answers" if is_last else kind,
        layer=group[-1].name,
        shape=shape[:1] if is_pooled else shape,
        layers=tuple(layer.name for layer in group),
        params=sum(layer.params for layer in group),
        macs=sum(layer.macs for layer in group),
        is_block=group[0].kind == "residual",
        after=tuple(filter(None, map(layer_word, group))),
    )


def layer_word(layer: AnyLayer) -> str:
    """Return a word for a layer that changes the numbers of another; "" for the others."""
    match layer.kind:
        case "norm":
            return NORMS[layer.norm].word
        case "activation":
            return ACTIVATIONS[layer.activation].label
        case "pool":
            return POOLINGS[layer.pooling].short.lower()
        case "dropout":
            return "dropout"
    return ""


def _fold_key(column: Column) -> tuple[object, ...]:
    """Columns with the same key look the same."""
    return column.kind, column.shape, column.is_block, column.params, column.macs


def planned_design(
    spec: CNNSpec, *, batch_size: int = 128, optimizer: str = "adamw"
) -> dict[str, Any]:
    """Plan a design, repaired if needed, as plain JSON values.

    Returns:
        ``spec`` and ``link`` of the design that was planned, ``repair`` (a sentence, "" without
        one), ``params``, ``macs`` (for one picture), ``training_bytes`` (of a step),
        ``receptive_field``, ``columns`` and ``folds`` (see `columns`).

    Raises:
        SpecError: It cannot be planned, and no repair was found.
    """
    repair = ""
    try:
        planned = plan(spec)
    except SpecError as error:
        if not error.repair:
            raise
        repair = error.repair_text or ""
        planned = plan(replace(spec, **error.repair))
    costs = cost(planned, batch_size=batch_size, optimizer=optimizer)
    found = columns(planned)
    return {
        "spec": planned.spec.to_dict(),
        "link": encode(planned.spec),
        "repair": repair,
        "params": costs.params,
        "macs": costs.macs,
        "training_bytes": costs.training_bytes,
        "receptive_field": costs.receptive_field,
        "columns": [asdict(column) for column in found],
        "folds": folds(found),
    }

"""What other tools would print for a plan: each counts operations by a convention of its own.

Every convention was read from the tool's source at the version named here, and is checked against
the tool itself by ``bench/tools.py``. All totals are for one image and for a network in evaluation
mode, which is what the tools measure unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnlib.design.layers import Leaf
    from cnnlib.design.plan import Plan

Count = Callable[[Any], int]

# What a rule is about -> the heading under which its numbers are added up.
_PARTS: dict[str, str] = {
    "conv2d": "convolutions",
    "linear": "linear layers",
    "bias": "biases",
    "batch norm": "norms",
    "layer norm": "norms",
    "group norm": "norms",
    "instance norm": "norms",
    "relu": "activations",
    "lrelu": "activations",
    "tanh": "activations",
    "sigmoid": "activations",
    "elu": "activations",
    "gelu": "activations",
    "silu": "activations",
    "pool": "poolings",
    "global_avg_pool": "poolings",
    "dropout": "dropouts",
    "flatten": "flattening",
}

# How a rule's subject is called where people read it; the others are called by their own name.
_WORDS = {
    "conv2d": "convolutions",
    "linear": "linear layers",
    "bias": "biases",
    "relu": "ReLU",
    "lrelu": "leaky ReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "pool": "poolings",
    "global_avg_pool": "global average pooling",
    "flatten": "flattening",
}


@dataclass(frozen=True)
class Convention:
    """How one tool counts.

    Args:
        call: What a person types to see the total.
        quantity: What the tool calls its total.
        sentence: How it differs from the lab's MACs (convolutions and linear layers, no bias).
        rules: What is counted -> operations for one image; what is missing counts nothing.
    """

    tool: str
    version: str
    call: str
    quantity: str
    sentence: str
    rules: Mapping[str, Count]


@dataclass(frozen=True)
class ToolCount:
    """The total that a tool would print for one plan.

    Args:
        parts: What the total is made of: ``(("convolutions", 412_000), ("biases", 6_272), ...)``.
        not_counted: What the plan holds and the tool gives nothing for.
    """

    convention: Convention
    total: int
    parts: tuple[tuple[str, int], ...]
    not_counted: tuple[str, ...]


def count(convention: Convention, plan: Plan) -> ToolCount:
    """The total that a tool would print for a plan."""
    parts: dict[str, int] = {}
    not_counted: dict[str, None] = {}  # a set that keeps its order
    for leaf in plan.walk():
        for subject in _subjects(leaf):
            if subject in convention.rules:
                part = _PARTS[subject]
                parts[part] = parts.get(part, 0) + convention.rules[subject](leaf)
            else:
                not_counted[_WORDS.get(subject, subject)] = None
    return ToolCount(convention, sum(parts.values()), tuple(parts.items()), tuple(not_counted))


def tool_counts(plan: Plan) -> tuple[ToolCount, ...]:
    """What each known tool would print, in the order of `CONVENTIONS`."""
    return tuple(count(convention, plan) for convention in CONVENTIONS)


def _subjects(leaf: Leaf) -> Generator[str]:
    """What a layer is counted as: its kind, and its bias apart."""
    if leaf.kind == "norm":
        yield f"{leaf.norm} norm"
    elif leaf.kind == "activation":
        yield leaf.activation
    else:
        yield leaf.kind
    if leaf.kind == "linear" or (leaf.kind == "conv2d" and leaf.bias):
        yield "bias"


def _macs(leaf: Leaf) -> int:
    return leaf.macs


def _flops(leaf: Leaf) -> int:
    return 2 * leaf.macs


def _params(leaf: Leaf) -> int:
    return leaf.params


def _values_in(leaf: Leaf) -> int:
    return prod(leaf.in_shape)


def _values_out(leaf: Leaf) -> int:
    return prod(leaf.out_shape)


def _each_value(times: int) -> Count:
    """So many operations for each value that the layer is given."""
    return lambda leaf: times * prod(leaf.in_shape)


def _norms(batch: Count, others: Count) -> dict[str, Count]:
    names = ("layer norm", "group norm", "instance norm")
    return {"batch norm": batch, **dict.fromkeys(names, others)}


def _activations(times: int, *names: str) -> dict[str, Count]:
    return dict.fromkeys(names, _each_value(times))


_POOLS = ("pool", "global_avg_pool")

CONVENTIONS: tuple[Convention, ...] = (
    Convention(
        "torchinfo",
        "1.8.0",
        "summary(model, (1, *in_size))",
        "Total mult-adds",
        "It multiplies a layer's parameters, biases included, by the pixels of its output; a norm "
        "counts only its parameters, as if it were applied to one pixel.",
        {"conv2d": _macs, "linear": _macs, "bias": _values_out, **_norms(_params, _params)},
    ),
    Convention(
        "fvcore",
        "0.1.5.post20221221",
        "FlopCountAnalysis(model.eval(), images).total()",
        "flops",
        "It calls one multiply-accumulate one flop and leaves biases out, but adds 2 for each "
        "value that batch norm is given, 5 for other norms, and 1 for global average pooling.",
        {"conv2d": _macs, "linear": _macs, "global_avg_pool": _values_in}
        | _norms(_each_value(2), _each_value(5)),
    ),
    Convention(
        "ptflops",
        "0.7.5",
        "get_model_complexity_info(model, in_size)",
        "Computational complexity (MACs)",
        "It adds one for each bias and two for each value that a norm is given; poolings, ReLU, "
        "ELU and GELU are met twice, as a module and as the function inside, and so count double.",
        {"conv2d": _macs, "linear": _macs, "bias": _values_out}
        | _norms(_each_value(2), _each_value(2))
        | _activations(2, "relu", "elu", "gelu")
        | _activations(1, "lrelu", "silu")
        | dict.fromkeys(_POOLS, _each_value(2)),
    ),
    Convention(
        "calflops",
        "0.3.2",
        "calculate_flops(model, (1, *in_size))",
        "fwd FLOPs",
        "It counts two for each multiply-accumulate, adds the biases of convolutions but not of "
        "linear layers, and one to five for each value in norms, activations and poolings.",
        {"conv2d": lambda conv: 2 * conv.macs, "linear": _flops}
        | {"bias": lambda layer: _values_out(layer) if layer.kind == "conv2d" else 0}
        | _norms(_each_value(2), _each_value(5))
        | _activations(1, "relu", "lrelu", "elu", "gelu", "silu")
        | dict.fromkeys(_POOLS, _values_in),
    ),
    Convention(
        "calflops",
        "0.3.2",
        "calculate_flops(model, (1, *in_size))",
        "fwd MACs",
        "Its second number counts what the lab counts: convolutions and linear layers, no bias.",
        {"conv2d": _macs, "linear": _macs},
    ),
    Convention(
        "torch.utils.flop_counter",
        "2.15.0",
        "with FlopCounterMode() as counter: model(images)",
        "Total FLOPs",
        "It counts two for each multiply-accumulate of convolutions and linear layers, no bias: "
        "exactly twice the lab's MACs.",
        {"conv2d": _flops, "linear": _flops},
    ),
)

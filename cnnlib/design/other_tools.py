"""Operation counts of other tools for a plan: each tool has its own counting convention.

Every convention was read from the tool's source at the version given here, and is checked against
the tool itself by ``bench/tools.py``. All totals are for one image and for a network in evaluation
mode, the tools' default.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from cnnlib.design.layers import Leaf
from cnnlib.design.plan import Plan
from cnnlib.vocabulary.layers import ACTIVATIONS, NORMS, POOLINGS

Count = Callable[[Any], int]

# Subject of a rule -> its label, and the group in which its counts are added up.
_SUBJECTS: dict[str, tuple[str, str]] = {
    "conv2d": ("convolutions", "convolutions"),
    "uneven_conv2d": ("convolutions with uneven padding", "convolutions"),
    "linear": ("linear layers", "linear layers"),
    "bias": ("biases", "biases"),
    **{entry.name: (entry.label, "activations") for entry in ACTIVATIONS.values()},
    **{entry.word: (entry.word, "norms") for entry in NORMS.values()},
    **{entry.torch_name: ("poolings", "poolings") for entry in POOLINGS.values()},
    "global_avg_pool": ("global average pooling", "poolings"),
    "dropout": ("dropout", "dropouts"),
    "flatten": ("flattening", "flattening"),
    "pad_channels": ("channels of zeros", "channels of zeros"),
}


@dataclass(frozen=True)
class Convention:
    """The counting convention of one tool.

    Args:
        call: Python expression that gives the total.
        quantity: The tool's name for its total.
        sentence: The difference from the lab's MACs (convolutions and linear layers, no bias).
        rules: Subject -> operations for one image; a subject without a rule counts 0.
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
        parts: The total by group: ``(("convolutions", 412_000), ("biases", 6_272), ...)``.
        not_counted: Subjects of the plan for which the tool has no rule.
    """

    convention: Convention
    total: int
    parts: tuple[tuple[str, int], ...]
    not_counted: tuple[str, ...]


def count(convention: Convention, plan: Plan) -> ToolCount:
    """Compute the total that a tool would print for a plan."""
    parts: dict[str, int] = {}
    not_counted: dict[str, None] = {}  # an ordered set
    for leaf in plan.walk():
        for subject in _subjects(leaf):
            if subject in convention.rules:
                _, part = _SUBJECTS[subject]
                parts[part] = parts.get(part, 0) + convention.rules[subject](leaf)
            else:
                not_counted[_SUBJECTS[subject][0]] = None
    return ToolCount(convention, sum(parts.values()), tuple(parts.items()), tuple(not_counted))


def tool_counts(plan: Plan) -> tuple[ToolCount, ...]:
    """Compute the total of each tool, in the order of `CONVENTIONS`."""
    return tuple(count(convention, plan) for convention in CONVENTIONS)


def _subjects(leaf: Leaf) -> Generator[str]:
    """Yield the subjects of a layer: its kind, and its bias apart."""
    if leaf.kind == "norm":
        yield NORMS[leaf.norm].word
    elif leaf.kind == "activation":
        yield leaf.activation
    elif leaf.kind == "pool":
        yield POOLINGS[leaf.pooling].torch_name
    elif leaf.kind == "conv2d" and any(leaf.more_padding):
        yield "uneven_conv2d"
    else:
        yield leaf.kind
    if leaf.kind == "linear" or (leaf.kind == "conv2d" and leaf.bias):
        yield "bias"


def _count_macs(leaf: Leaf) -> int:
    return leaf.macs


def _count_flops(leaf: Leaf) -> int:
    return 2 * leaf.macs


def _outputs_of_calflops(leaf: Leaf) -> int:
    """Return the output values as calflops has them: it pads both sides alike, so sees one less."""
    if leaf.kind != "conv2d":
        return 0  # it adds no biases of linear layers
    channels, height, width = leaf.out_shape
    below, right = leaf.more_padding
    return channels * (height - below) * (width - right)


def _macs_of_calflops(leaf: Leaf) -> int:
    return leaf.macs * _outputs_of_calflops(leaf) // prod(leaf.out_shape)


def _count_params(leaf: Leaf) -> int:
    return leaf.params


def _count_inputs(leaf: Leaf) -> int:
    return prod(leaf.in_shape)


def _count_outputs(leaf: Leaf) -> int:
    return prod(leaf.out_shape)


def _per_input_value(times: int) -> Count:
    """Build a rule: `times` operations for each value of a layer's input."""
    return lambda leaf: times * prod(leaf.in_shape)


def _counted_by(tool: str) -> dict[str, Count]:
    """Build the rules of a tool for norms, activations and poolings."""
    subjects = {
        **{entry.word: entry.counted for entry in NORMS.values()},
        **{entry.name: entry.counted for entry in ACTIVATIONS.values()},
        **{entry.torch_name: entry.counted for entry in POOLINGS.values()},
    }
    return {
        subject: _per_input_value(counted[tool])
        for subject, counted in subjects.items()
        if tool in counted
    }


CONVENTIONS: tuple[Convention, ...] = (
    Convention(
        "torchinfo",
        "1.8.0",
        "summary(model, (1, *in_size))",
        "Total mult-adds",
        "It multiplies the parameters of a layer, biases included, by the pixels of its output. "
        "For a norm it counts the parameters only once.",
        {
            "conv2d": _count_macs,
            "uneven_conv2d": _count_macs,
            "linear": _count_macs,
            "bias": _count_outputs,
            **{entry.word: _count_params for entry in NORMS.values()},
        },
    ),
    Convention(
        "fvcore",
        "0.1.5.post20221221",
        "FlopCountAnalysis(model.eval(), images).total()",
        "flops",
        "It counts a multiply-accumulate as one FLOP and ignores biases. It adds operations per "
        "input value: 2 for batch norm, 5 for other norms, 1 for global average pooling.",
        {"conv2d": _count_macs, "linear": _count_macs, "global_avg_pool": _count_inputs}
        | _counted_by("fvcore"),
    ),
    Convention(
        "ptflops",
        "0.7.5",
        "get_model_complexity_info(model, in_size)",
        "Computational complexity (MACs)",
        "It adds 1 per output value for biases and 2 per input value for norms. Poolings, ReLU, "
        "ELU and GELU count double: once as a module, once as the function that it calls.",
        {"conv2d": _count_macs, "uneven_conv2d": _count_macs, "linear": _count_macs}
        | {"bias": _count_outputs}
        | {"global_avg_pool": _per_input_value(2)}
        | _counted_by("ptflops"),
    ),
    Convention(
        "calflops",
        "0.3.2",
        "calculate_flops(model, (1, *in_size))",
        "fwd FLOPs",
        "It counts 2 FLOPs per multiply-accumulate, adds the biases of convolutions but not of "
        "linear layers, and 1 to 5 per input value for norms, activations and poolings.",
        {"conv2d": _count_flops, "linear": _count_flops, "bias": _outputs_of_calflops}
        | {"uneven_conv2d": lambda conv: 2 * _macs_of_calflops(conv)}
        | {"global_avg_pool": _count_inputs}
        | _counted_by("calflops"),
    ),
    Convention(
        "calflops",
        "0.3.2",
        "calculate_flops(model, (1, *in_size))",
        "fwd MACs",
        "Its second total counts like the lab: convolutions and linear layers, without biases.",
        {"conv2d": _count_macs, "uneven_conv2d": _macs_of_calflops, "linear": _count_macs},
    ),
    Convention(
        "torch.utils.flop_counter",
        "2.15.0",
        "with FlopCounterMode() as counter: model(images)",
        "Total FLOPs",
        "It counts 2 FLOPs per multiply-accumulate of convolutions and linear layers, without "
        "biases: exactly twice the MACs of the lab.",
        {"conv2d": _count_flops, "uneven_conv2d": _count_flops, "linear": _count_flops},
    ),
)

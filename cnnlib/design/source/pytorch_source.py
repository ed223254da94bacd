"""A plan as a stand-alone PyTorch file, which imports torch only and loads weights of the lab.

Small networks are written layer by layer, each with its output shape. Residual blocks become
classes, and the convolutions or hidden layers of a deep plain network become a function; values
that differ between its uses become arguments.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from textwrap import fill, indent
from typing import Any

from cnnlib.design.layers import AnyLayer, Conv2d, Leaf, Residual, Shape
from cnnlib.design.plan import Plan
from cnnlib.design.source.module_code import Parameter, Template, module_call

MOST_WRITTEN_OUT = 6  # more convolutions (or hidden layers) than this become a function
_WIDTH = 100
# Kinds of layers that get a comment with their output shape.
_SIZED = ("conv2d", "pool", "flatten", "global_avg_pool", "residual")

_HEAD = '''\
"""{title}: {params:,} parameters, {macs:,} multiply-accumulates per picture.

Written by CNN Lab; needs torch only. Weights that the lab saved are loaded by
``net.load_state_dict(safetensors.torch.load_file("weights.safetensors"))``.
"""

import torch
from torch import nn


def named(**layers):
    """Join layers in this order, under these names."""
    sequence = nn.Sequential()
    for name, layer in layers.items():
        sequence.add_module(name, layer)
    return sequence
'''

_FUNCTION = '''

{definition}
    """Return one {what} with the layers that follow it, by name."""
    return {{
{entries}
    }}
'''

_BLOCK = '''

class {name}(nn.Module):
    """ReLU of the sum of a main path and a skip."""

{definition}
        super().__init__()
        self.main = {main}
{shortcut}
    def forward(self, x):
        return torch.relu(self.main(x) + {skip})
'''

_NET = '''

class Net(nn.Module):
    """N x {in_size} pictures -> N x {out_classes} scores; softmax makes them probabilities."""

    def __init__(self):
        super().__init__()
{parts}

    def forward(self, x):
        return {forward}


if __name__ == "__main__":
    net = Net().eval()
    print(f"{{sum(p.numel() for p in net.parameters()):,}} parameters")
    print(tuple(net(torch.zeros(1, {zeros})).shape))
'''


@dataclass
class _SharedCode:
    """The definitions before the network, and the layers that are written as calls of them.

    Args:
        definitions: Functions and classes, as text.
        calls: Name of a layer -> the call that creates it and the layers after it in its unit.
        covered: Names of the layers that the call of an earlier layer creates.
    """

    definitions: list[str] = field(default_factory=list)
    calls: dict[str, str] = field(default_factory=dict)
    covered: set[str] = field(default_factory=set)


def source(plan: Plan, title: str = "") -> str:
    """Write a Python file that defines a class ``Net``.

    ``Net().state_dict()`` has the keys and shapes of ``build_model(plan)``, so weights of one
    load into the other. New weights are torch's defaults; ``plan.spec.init`` is ignored.

    Args:
        title: Name of the network in the first line; only its words and numbers are kept.
    """
    shared = _SharedCode()
    _define_functions(plan.layers, shared)
    _define_blocks([layer for layer in plan.layers if isinstance(layer, Residual)], shared)
    head = _HEAD.format(
        title=" ".join(re.findall(r"[\w.+-]+", title))[:60] or "A network",
        params=sum(layer.params for layer in plan.layers),
        macs=sum(layer.macs for layer in plan.layers),
    )
    return "".join([head, *shared.definitions, _write_net(plan, shared)])


def _write_net(plan: Plan, shared: _SharedCode) -> str:
    """Write the class ``Net``."""
    parts = defaultdict(list)
    for layer in plan.layers:
        parts[layer.name.partition(".")[0]].append(layer)
    forward = "x"
    for part in parts:
        forward = f"self.{part}({forward})"
    attributes = [f"self.{name} = {_write_layers(parts[name], shared)}" for name in parts]
    return _NET.format(
        in_size=" x ".join(map(str, plan.spec.in_size)),
        out_classes=plan.spec.out_classes,
        parts="\n".join(f"        {text}" for text in attributes),
        forward=forward,
        zeros=", ".join(map(str, plan.spec.in_size)),
    )


def _write_layers(layers: Iterable[AnyLayer], shared: _SharedCode) -> str:
    """Write layers as a call of ``named``, one on a line, with their output shapes."""
    lines = []
    for layer in layers:
        if layer.name not in shared.covered:
            text = shared.calls.get(layer.name)
            if text is None:
                assert not isinstance(layer, Residual)  # a block has a class, whose use is known
                text = f"{_last_name(layer)}={module_call(layer).text()}"
            shape = layer.out_shape if layer.kind in _SIZED else None
            lines.append(_format_line(f"{text},", shape))
    return _call_of_named(lines)


def _call_of_named(lines: Sequence[str]) -> str:
    """Write a call of ``named`` around lines."""
    return "\n".join(["named(", *lines, " " * 8 + ")"])


def _format_line(text: str, shape: Shape | None = None) -> str:
    """Write a line inside brackets, wrapped where it is long, with a shape where it fits."""
    line = _wrap(text, 12)
    comment = f"  # {' x '.join(map(str, shape))}" if shape else ""
    return line + comment if len(line) + len(comment) <= _WIDTH else line


def _wrap(text: str, spaces: int) -> str:
    """Indent text by `spaces`, and wrap it where it is long."""
    return fill(
        text,
        width=_WIDTH,
        initial_indent=" " * spaces,
        subsequent_indent=" " * (spaces + 8),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _define_functions(layers: Sequence[AnyLayer], shared: _SharedCode) -> None:
    """Define functions for the convolutions and the hidden layers of a deep plain network."""
    units: dict[tuple[str, ...], list[Sequence[Leaf]]] = defaultdict(list)
    for unit in _group_by_number(layers):
        units[tuple(_base_name(layer) for layer in unit)].append(unit)
    for form, uses in units.items():
        if len(uses) > MOST_WRITTEN_OUT:
            _define_function("convolution" if form[0] == "conv" else "hidden_layer", uses, shared)


def _group_by_number(layers: Sequence[AnyLayer]) -> Iterable[Sequence[Leaf]]:
    """Return each numbered convolution or linear layer with the layers of the same number."""
    units: dict[tuple[str | Any, ...], list[Leaf]] = defaultdict(list)
    for layer in layers:
        numbered = re.fullmatch(r"(\w+)\.(?:conv|fc|drop|norm|act)(\d+)", layer.name)
        if numbered and not isinstance(layer, Residual):
            units[numbered.groups()].append(layer)
    return units.values()


def _define_function(name: str, units: Sequence[Sequence[Leaf]], shared: _SharedCode) -> None:
    """Define one function for units with the same layers."""
    firsts = [unit[0] for unit in units]
    kind = "channels" if isinstance(firsts[0], Conv2d) else "features"
    template = Template(*_size_parameters(kind, firsts))
    entries = [
        _format_line(f'f"{_base_name(same[0])}{{number}}": {template.text(same)},')[4:]
        for same in zip(*units, strict=True)
    ]
    shared.definitions.append(
        _FUNCTION.format(
            definition=_wrap(f"def {name}(number, {template.signature()}):", 0),
            what=name.replace("_", " "),
            entries="\n".join(entries),
        )
    )
    for use, (first, *others) in enumerate(units):
        number = re.sub(r"\D", "", _last_name(first))
        given = ", ".join(filter(None, [number, template.arguments(use)]))
        shared.calls[first.name] = f"**{name}({given})"
        shared.covered.update(layer.name for layer in others)


def _define_blocks(blocks: Sequence[Residual], shared: _SharedCode) -> None:
    """Define a class for each form of block."""
    forms: dict[tuple[Any, ...], list[Residual]] = defaultdict(list)
    for block in blocks:
        forms[block.block, *map(_last_name, block.main)].append(block)
    kinds = [form[0] for form in forms]
    for form, uses in forms.items():
        name = f"{form[0].title()}Block"
        if kinds.count(form[0]) > 1:
            name += str(sum(layer.kind == "conv2d" for layer in uses[0].main))
        _define_block(name, uses, shared)


def _define_block(name: str, blocks: Sequence[Residual], shared: _SharedCode) -> None:
    """Define one class for blocks with the same layers."""
    template = Template(*_size_parameters("channels", blocks))
    mains = zip(*(block.main for block in blocks), strict=True)
    main = [_format_line(f"{_last_name(same[0])}={template.text(same)},") for same in mains]
    skip, shortcut = _write_shortcut(blocks, template)
    shared.definitions.append(
        _BLOCK.format(
            name=name,
            definition=_wrap(f"def __init__(self, {template.signature()}):", 4),
            main=_call_of_named(main),
            shortcut=shortcut,
            skip=skip,
        )
    )
    for use, block in enumerate(blocks):
        shared.calls[block.name] = f"{_last_name(block)}={name}({template.arguments(use)})"


def _size_parameters(kind: str, layers: Sequence[AnyLayer]) -> list[Parameter]:
    """Return parameters for input and output channels (or features); one where they agree."""
    ins = tuple(layer.in_shape[0] for layer in layers)
    outs = tuple(layer.out_shape[0] for layer in layers)
    if ins == outs:
        return [Parameter(kind, kind, ins)]
    return [Parameter(f"in_{kind}", kind, ins), Parameter(f"out_{kind}", kind, outs)]


def _write_shortcut(blocks: Sequence[Residual], template: Template) -> tuple[str, str]:
    """Return the expression that is added to the main path, and the lines that define it."""
    with_shortcut = [block for block in blocks if block.shortcut]
    if not with_shortcut:
        return "x", ""
    lines = [
        _format_line(f"{_last_name(layer)}={template.text(_in_each_block(layer, blocks))},")
        for layer in with_shortcut[0].shortcut
    ]
    text = f"        self.shortcut = {_call_of_named(lines)}\n"
    if len(with_shortcut) < len(blocks):
        text = f"        if {_write_condition(template)}:\n{indent(text, ' ' * 4)}"
        text = f"        self.shortcut = nn.Identity()\n{text}"
    return "self.shortcut(x)", text


def _in_each_block(layer: Leaf, blocks: Sequence[Residual]) -> list[Leaf]:
    """Return a layer of a shortcut as it is in each block."""
    return [_in_block(layer, block) for block in blocks]


def _in_block(layer: Leaf, block: Residual) -> Leaf:
    """Return a layer of a shortcut with the shapes and stride that it has in another block."""
    if isinstance(layer, Conv2d):
        first = block.main[0]
        assert isinstance(first, Conv2d)  # a main path begins with one
        stride = first.stride
        return replace(layer, in_shape=block.in_shape, out_shape=block.out_shape, stride=stride)
    return replace(layer, in_shape=block.out_shape, out_shape=block.out_shape)


def _write_condition(template: Template) -> str:
    """Write the condition under which a shortcut changes the size or the channels."""
    names = [parameter.name for parameter in template.parameters]
    tests = ["stride != 1"] if "stride" in names else []
    if "in_channels" in names:
        tests.append("in_channels != out_channels")
    return " or ".join(tests)


def _last_name(layer: AnyLayer) -> str:
    """Return the last part of a layer's name: ``conv3``."""
    return layer.name.rpartition(".")[2]


def _base_name(layer: AnyLayer) -> str:
    """Return that part without its number: ``conv``."""
    return _last_name(layer).rstrip("0123456789")

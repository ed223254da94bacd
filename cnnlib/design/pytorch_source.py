"""A plan as a stand-alone PyTorch file, which imports torch only and loads weights of the lab.

Small networks are written out layer by layer, each with the shape that it gives. Residual blocks
become classes, and the convolutions or hidden layers of a deep plain network a function; what
differs between their uses is an argument.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from textwrap import fill, indent
from typing import TYPE_CHECKING, Any

from cnnlib.design.layers import AnyLayer, Conv2d, Leaf, Residual, Shape
from cnnlib.design.module_code import module_call
from cnnlib.design.template import Parameter, Template

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cnnlib.design.plan import Plan

MOST_WRITTEN_OUT = 6  # convolutions, or hidden layers, before a function stands for them
_WIDTH = 100
_SIZED = ("conv2d", "pool", "flatten", "global_avg_pool", "residual")  # a comment tells their shape

_HEAD = '''\
"""{title}: {params:,} parameters, {macs:,} multiply-accumulates per picture.

Written by CNN Lab; needs torch only. Weights that the lab saved are loaded by
``net.load_state_dict(safetensors.torch.load_file("weights.safetensors"))``.
"""

import torch
from torch import nn


def named(**layers):
    """Layers in this order, under these names."""
    sequence = nn.Sequential()
    for name, layer in layers.items():
        sequence.add_module(name, layer)
    return sequence
'''

_FUNCTION = '''

{definition}
    """A {what} and what follows it."""
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
class _Pieces:
    """What is defined before the network, and which layers are written as a use of it.

    Args:
        definitions: Functions and classes, as text.
        uses: Name of a layer -> the text that stands for it and for the layers that it covers.
        covered: Names of the layers that a use of an earlier one covers.
    """

    definitions: list[str] = field(default_factory=list)
    uses: dict[str, str] = field(default_factory=dict)
    covered: set[str] = field(default_factory=set)


def source(plan: Plan, title: str = "") -> str:
    """The text of a Python file that defines a class ``Net``.

    ``Net().state_dict()`` has the keys and shapes of ``build_model(plan)``, so weights go from one
    to the other. New weights are torch's own defaults, whatever ``plan.spec.init`` says.

    Args:
        title: What the first line calls the network; only its words and numbers are kept.
    """
    pieces = _Pieces()
    _define_functions(plan.layers, pieces)
    _define_blocks([layer for layer in plan.layers if isinstance(layer, Residual)], pieces)
    head = _HEAD.format(
        title=" ".join(re.findall(r"[\w.+-]+", title))[:60] or "A network",
        params=sum(layer.params for layer in plan.layers),
        macs=sum(layer.macs for layer in plan.layers),
    )
    return "".join([head, *pieces.definitions, _net(plan, pieces)])


def _net(plan: Plan, pieces: _Pieces) -> str:
    """The class ``Net``."""
    parts = defaultdict(list)
    for layer in plan.layers:
        parts[layer.name.partition(".")[0]].append(layer)
    forward = "x"
    for part in parts:
        forward = f"self.{part}({forward})"
    return _NET.format(
        in_size=" x ".join(map(str, plan.spec.in_size)),
        out_classes=plan.spec.out_classes,
        parts="\n".join(f"        self.{name} = {_named(parts[name], pieces)}" for name in parts),
        forward=forward,
        zeros=", ".join(map(str, plan.spec.in_size)),
    )


def _named(layers: Iterable[AnyLayer], pieces: _Pieces) -> str:
    """Layers in a call of ``named``, one on a line, with the shape that each gives."""
    lines = []
    for layer in layers:
        if layer.name not in pieces.covered:
            text = pieces.uses.get(layer.name)
            if text is None:
                assert not isinstance(layer, Residual)  # a block has a class, whose use is known
                text = f"{_last(layer)}={module_call(layer).text()}"
            lines.append(_line(f"{text},", layer.out_shape if layer.kind in _SIZED else None))
    return _call_of_named(lines)


def _call_of_named(lines: Sequence[str]) -> str:
    return "\n".join(["named(", *lines, " " * 8 + ")"])


def _line(text: str, shape: Shape | None = None) -> str:
    """A line inside brackets, wrapped where it is long, with a shape where there is room."""
    line = _wrapped(text, 12)
    comment = f"  # {' x '.join(map(str, shape))}" if shape else ""
    return line + comment if len(line) + len(comment) <= _WIDTH else line


def _wrapped(text: str, spaces: int) -> str:
    """Text after so many spaces, on more than one line where it is long."""
    return fill(
        text,
        width=_WIDTH,
        initial_indent=" " * spaces,
        subsequent_indent=" " * (spaces + 8),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _define_functions(layers: Sequence[AnyLayer], pieces: _Pieces) -> None:
    """A function for the convolutions of a deep plain network, one for its many hidden layers."""
    units: dict[tuple[str, ...], list[Sequence[Leaf]]] = defaultdict(list)
    for unit in _units(layers):
        units[tuple(_base(layer) for layer in unit)].append(unit)
    for form, uses in units.items():
        if len(uses) > MOST_WRITTEN_OUT:
            _define_function("convolution" if form[0] == "conv" else "hidden_layer", uses, pieces)


def _units(layers: Sequence[AnyLayer]) -> Iterable[Sequence[Leaf]]:
    """Each numbered convolution or linear layer, with what follows it under its number."""
    units: dict[tuple[str | Any, ...], list[Leaf]] = defaultdict(list)
    for layer in layers:
        numbered = re.fullmatch(r"(\w+)\.(?:conv|fc|drop|norm|act)(\d+)", layer.name)
        if numbered and not isinstance(layer, Residual):
            units[numbered.groups()].append(layer)
    return units.values()


def _define_function(name: str, units: Sequence[Sequence[Leaf]], pieces: _Pieces) -> None:
    """One function for units of one form."""
    firsts = [unit[0] for unit in units]
    kind = "channels" if isinstance(firsts[0], Conv2d) else "features"
    template = Template(*_ends(kind, firsts))
    entries = [
        _line(f'f"{_base(same[0])}{{number}}": {template.text(same)},')[4:]
        for same in zip(*units, strict=True)
    ]
    pieces.definitions.append(
        _FUNCTION.format(
            definition=_wrapped(f"def {name}(number, {template.signature()}):", 0),
            what=name.replace("_", " "),
            entries="\n".join(entries),
        )
    )
    for use, (first, *others) in enumerate(units):
        number = re.sub(r"\D", "", _last(first))
        given = ", ".join(filter(None, [number, template.arguments(use)]))
        pieces.uses[first.name] = f"**{name}({given})"
        pieces.covered.update(layer.name for layer in others)


def _define_blocks(blocks: Sequence[Residual], pieces: _Pieces) -> None:
    """A class for each form of block."""
    forms: dict[tuple[Any, ...], list[Residual]] = defaultdict(list)
    for block in blocks:
        forms[block.block, *map(_last, block.main)].append(block)
    kinds = [form[0] for form in forms]
    for form, uses in forms.items():
        name = f"{form[0].title()}Block"
        if kinds.count(form[0]) > 1:
            name += str(sum(layer.kind == "conv2d" for layer in uses[0].main))
        _define_block(name, uses, pieces)


def _define_block(name: str, blocks: Sequence[Residual], pieces: _Pieces) -> None:
    """One class for blocks of one form."""
    template = Template(*_ends("channels", blocks))
    mains = zip(*(block.main for block in blocks), strict=True)
    main = [_line(f"{_last(same[0])}={template.text(same)},") for same in mains]
    skip, shortcut = _shortcut(blocks, template)
    pieces.definitions.append(
        _BLOCK.format(
            name=name,
            definition=_wrapped(f"def __init__(self, {template.signature()}):", 4),
            main=_call_of_named(main),
            shortcut=shortcut,
            skip=skip,
        )
    )
    for use, block in enumerate(blocks):
        pieces.uses[block.name] = f"{_last(block)}={name}({template.arguments(use)})"


def _ends(kind: str, layers: Sequence[AnyLayer]) -> list[Parameter]:
    """The channels or features that go in and out; one parameter where they are always the same."""
    ins = tuple(layer.in_shape[0] for layer in layers)
    outs = tuple(layer.out_shape[0] for layer in layers)
    if ins == outs:
        return [Parameter(kind, kind, ins)]
    return [Parameter(f"in_{kind}", kind, ins), Parameter(f"out_{kind}", kind, outs)]


def _shortcut(blocks: Sequence[Residual], template: Template) -> tuple[str, str]:
    """What is added to the main path, and the lines that define it."""
    with_shortcut = [block for block in blocks if block.shortcut]
    if not with_shortcut:
        return "x", ""
    lines = [
        _line(f"{_last(layer)}={template.text([_in_block(layer, block) for block in blocks])},")
        for layer in with_shortcut[0].shortcut
    ]
    text = f"        self.shortcut = {_call_of_named(lines)}\n"
    if len(with_shortcut) < len(blocks):
        text = f"        if {_condition(template)}:\n{indent(text, ' ' * 4)}"
        text = f"        self.shortcut = nn.Identity()\n{text}"
    return "self.shortcut(x)", text


def _in_block(layer: Leaf, block: Residual) -> Leaf:
    """A layer of a shortcut as it would stand in another block."""
    if isinstance(layer, Conv2d):
        first = block.main[0]
        assert isinstance(first, Conv2d)  # a main path begins with one
        stride = first.stride
        return replace(layer, in_shape=block.in_shape, out_shape=block.out_shape, stride=stride)
    return replace(layer, in_shape=block.out_shape, out_shape=block.out_shape)


def _condition(template: Template) -> str:
    """When a shortcut must change its input: to another size, or to other channels."""
    names = [parameter.name for parameter in template.parameters]
    tests = ["stride != 1"] if "stride" in names else []
    if "in_channels" in names:
        tests.append("in_channels != out_channels")
    return " or ".join(tests)


def _last(layer: AnyLayer) -> str:
    """The last part of a layer's name: ``conv3``."""
    return layer.name.rpartition(".")[2]


def _base(layer: AnyLayer) -> str:
    """That without its number: ``conv``."""
    return _last(layer).rstrip("0123456789")

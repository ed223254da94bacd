"""The picture of a network, laid out: every layer a block of its own width, height and channels.

Sizes are to scale: height and depth of a block are those of its feature maps, its width is their
number; one linear scale for all blocks, another for the bars of linear layers. Layers that change
no shape (norm, activation, dropout, the sum of a skip) are thin bands on the block before them, and
are told with it.
Where a network is too wide, first the gaps give way, then the picture grows beyond `TARGET_WIDTH`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cnnlib.design.layers import AnyLayer, Leaf, Residual, Shape
from cnnlib.design.receptive import Field, receptive_fields
from cnnlib.figures.labels import kind_label, settings_label, shape_label, shape_text

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from cnnlib.design.plan import Plan

TARGET_WIDTH = 700
FACE = 150  # height of the tallest block and of the longest bar
SLANT = 0.4  # how far a block's depth goes right and up, as a share of its width in pixels
BLOCK_WIDTHS = 360  # what the widths of all blocks together may take
WIDEST = 84
BAND = 2.5
BAR = 7
SMALLEST_GAP = 4.0
LABEL_CHARACTER = 6.4
LABEL_GAP = 7

BANDS = ("norm", "activation", "dropout", "sum")


@dataclass(frozen=True)
class Slab:
    """One layer as a block or a bar, with its bands; its middle lies on the line y = 0.

    Args:
        kind: The layer's kind, "input", or "sum" for the end of a skip.
        details: Lines of text: what it is, then ``what: value``.
        bands: Kinds of the layers that are drawn on its right end.
        width: Of the block alone, without its bands.
        depth: How far its side goes right and up; 0 for a bar.
    """

    name: str
    kind: str
    shape: Shape
    details: tuple[str, ...]
    bands: tuple[str, ...] = ()
    x: float = 0.0
    width: float = 0.0
    height: float = 0.0
    depth: float = 0.0

    @property
    def whole_width(self) -> float:
        """With its bands."""
        return self.width + BAND * len(self.bands)

    @property
    def top(self) -> float:
        """Where its front begins, from above."""
        return -(self.height - self.depth) / 2

    @property
    def summit(self) -> tuple[float, float]:
        """The right end of its upper edge at the back, where arcs begin and end."""
        return (self.x + self.whole_width + self.depth, self.top - self.depth)


@dataclass(frozen=True)
class Arc:
    """A skip connection, from the layer before a block to the sum at its end.

    Args:
        projected: It goes through a 1x1 convolution.
    """

    name: str
    start: tuple[float, float]
    end: tuple[float, float]
    projected: bool
    details: tuple[str, ...]


@dataclass(frozen=True)
class Label:
    """A shape, written under the middle of its block."""

    x: float
    text: str


@dataclass(frozen=True)
class Drawing:
    """A network laid out in pixels, in forward order from left to right."""

    slabs: tuple[Slab, ...]
    arcs: tuple[Arc, ...]
    labels: tuple[Label, ...]
    width: float


def draw(plan: Plan) -> Drawing:
    """Lay a plan out."""
    details = _Details(plan)
    slabs = _placed(_sized(_folded(_slabs(plan, details))))
    arcs = _arcs(plan, slabs, details)
    width = max(slab.x + slab.whole_width + slab.depth for slab in slabs)
    return Drawing(tuple(slabs), tuple(arcs), tuple(_labels(slabs)), width)


def _slabs(plan: Plan, details: _Details) -> Generator[Slab]:
    """A slab for the image and for each layer on the main way, not yet folded or sized."""
    image = plan.spec.in_size
    yield Slab("input", "input", image, ("Image", f"shape: {shape_text(image)}"))
    for layer in plan.layers:
        if isinstance(layer, Residual):
            for leaf in layer.main:
                yield Slab(leaf.name, leaf.kind, leaf.out_shape, details.of(leaf))
            end = layer.activation
            yield Slab(end.name, "sum", end.out_shape, ("Sum with the skip, ReLU",))
        else:
            yield Slab(layer.name, layer.kind, layer.out_shape, details.of(layer))


def _folded(slabs: Iterable[Slab]) -> list[Slab]:
    """Slabs with the bands laid on the slab before them."""
    folded: list[Slab] = []
    for slab in slabs:
        if slab.kind in BANDS:
            before = folded[-1]
            lines = (*before.details, f"then: {slab.details[0]}")
            folded[-1] = replace(before, bands=(*before.bands, slab.kind), details=lines)
        else:
            folded.append(slab)
    return folded


def _sized(slabs: list[Slab]) -> list[Slab]:
    """Give each slab its width, height and depth."""
    maps = [slab.shape for slab in slabs if len(slab.shape) == 3]
    pixel = min(6.0, FACE / max(max(rows, columns) for _, rows, columns in maps))
    counts = [channels for channels, _, _ in maps]
    channel = min(1.2, WIDEST / max(counts), BLOCK_WIDTHS / sum(counts))
    longest = max((slab.shape[0] for slab in slabs if len(slab.shape) == 1), default=1)
    feature = min(1.5, FACE / longest)
    return [_size(slab, pixel, channel, feature) for slab in slabs]


def _size(slab: Slab, pixel: float, channel: float, feature: float) -> Slab:
    """One slab in pixels; nothing is thinner than can be seen."""
    if len(slab.shape) == 1:
        return replace(slab, width=BAR, height=max(2.0, slab.shape[0] * feature))
    channels, rows, columns = slab.shape
    return replace(
        slab,
        width=max(2.0, channels * channel),
        height=max(2.0, rows * pixel),
        depth=max(1.0, columns * pixel * SLANT),
    )


def _placed(slabs: list[Slab]) -> list[Slab]:
    """Give each slab its place; gaps shrink together until the picture has its target width."""
    wanted = [_wanted_gap(*pair) for pair in itertools.pairwise(slabs)]
    room = TARGET_WIDTH - sum(slab.whole_width for slab in slabs) - slabs[-1].depth
    share = min(1.0, max(0.0, room) / sum(wanted))
    placed, x = [], max(0.0, (_label_width(slabs[0]) - slabs[0].whole_width) / 2)
    for slab, gap in zip(slabs, (*wanted, 0.0), strict=True):
        placed.append(replace(slab, x=x))
        x += slab.whole_width + max(SMALLEST_GAP, gap * share)
    return placed


def _wanted_gap(slab: Slab, after: Slab) -> float:
    """The gap that shows a slab's side and leaves room for both labels."""
    labels = _label_width(slab) / 2 + _label_width(after) / 2 + LABEL_GAP
    return max(9 + 0.9 * slab.depth, labels - (slab.whole_width + after.whole_width) / 2)


def _label_width(slab: Slab) -> float:
    """How much room a slab's label takes."""
    return LABEL_CHARACTER * len(shape_label(slab.shape))


def _arcs(plan: Plan, slabs: list[Slab], details: _Details) -> Generator[Arc]:
    """An arc over each block, from the layer before it to the sum at its end."""
    places = {slab.name: i for i, slab in enumerate(slabs)}
    for block in plan.layers:
        if isinstance(block, Residual):
            convs = [leaf.name for leaf in block.main if leaf.kind == "conv2d"]
            before, last = slabs[places[convs[0]] - 1], slabs[places[convs[-1]]]
            is_projected = bool(block.shortcut)
            yield Arc(block.name, before.summit, last.summit, is_projected, details.of_skip(block))


def _labels(slabs: list[Slab]) -> Generator[Label]:
    """Shapes under blocks, where there is room: the ends first, then where a shape changes."""
    changes = [b for a, b in itertools.pairwise(slabs) if a.shape != b.shape]
    taken: list[tuple[float, float]] = []
    for slab in (slabs[0], slabs[-1], *changes, *slabs):
        half = _label_width(slab) / 2
        middle = slab.x + slab.whole_width / 2
        if all(middle + half < left or middle - half > right for left, right in taken):
            taken.append((middle - half - LABEL_GAP + 1, middle + half + LABEL_GAP - 1))
            yield Label(middle, shape_label(slab.shape))


class _Details:
    """What is told about each layer of a plan when it is pointed at."""

    def __init__(self, plan: Plan) -> None:
        self.fields: dict[str, Field] = receptive_fields(plan)
        self.params = sum(leaf.params for leaf in plan.walk())
        self.macs = sum(leaf.macs for leaf in plan.walk())

    def of(self, layer: AnyLayer) -> tuple[str, ...]:
        """Lines about a layer or a block; a band is told in one line."""
        if not isinstance(layer, Residual) and layer.kind in BANDS:
            return (_one_line(layer),)
        lines = [kind_label(layer), f"name: {layer.name}"]
        if layer.in_shape != layer.out_shape:
            lines.append(f"shape: {shape_text(layer.in_shape)} → {shape_text(layer.out_shape)}")
        else:
            lines.append(f"shape: {shape_text(layer.out_shape)}")
        if settings := settings_label(layer):
            lines.append(f"settings: {settings}")
        if layer.params:
            lines.append(f"parameters: {layer.params:,} ({layer.params / self.params:.1%})")
        if layer.macs:
            lines.append(f"MACs: {layer.macs:,} ({layer.macs / self.macs:.1%})")
        lines.append(f"receptive field: {self.fields[layer.name].size} pixels")
        return tuple(lines)

    def of_skip(self, block: Residual) -> tuple[str, ...]:
        """Lines about the skip of a block, and about the block."""
        kind, *lines = self.of(block)
        through = [f"through: {_one_line(leaf)}" for leaf in block.shortcut]
        return (
            f"Skip of a {kind.lower()}",
            *lines,
            *(through or ["through: nothing, it adds its input"]),
        )


def _one_line(leaf: Leaf) -> str:
    """A layer that is told with another one."""
    params = f"{leaf.params:,} parameters" if leaf.params else ""
    return ", ".join(filter(None, (kind_label(leaf), settings_label(leaf), params)))

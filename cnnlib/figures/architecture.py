"""The layout of a network's picture: a block for each feature map, a bar for each linear layer.

Sizes are to scale: height and depth of a block are those of its feature maps, its width is their
number. One linear scale holds for all blocks, another for the bars. Layers that change no shape
(norm, activation, dropout, the sum of a skip) are thin bands on the block before them, and their
details are part of its details.
If a network is too wide, the gaps shrink first; then the picture exceeds `TARGET_WIDTH`.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace

from cnnlib.design.cost import Field, receptive_fields
from cnnlib.design.layers import AnyLayer, Leaf, Residual, Shape
from cnnlib.design.plan import Plan
from cnnlib.figures.labels import kind_label, settings_label, shape_label, shape_text

TARGET_WIDTH = 700
FACE = 150  # height of the tallest block and of the longest bar
SLANT = 0.4  # offset of a block's back edge, right and up, as a share of the map's width
BLOCK_WIDTHS = 360  # maximum sum of the widths of all blocks
WIDEST = 84  # maximum width of a block
BAND = 2.5
BAR = 7
SMALLEST_GAP = 4.0
LABEL_CHARACTER = 6.4
LABEL_GAP = 7

BANDS = ("norm", "activation", "dropout", "sum")


@dataclass(frozen=True)
class Slab:
    """One layer as a block or a bar, with its bands; vertically centred on y = 0.

    Args:
        kind: The layer's kind, "input", or "sum" for the end of a skip.
        details: Lines of text: the kind, then ``name: value``.
        bands: Kinds of the layers that are drawn on its right end.
        width: Width without the bands.
        depth: Offset of the back edge, right and up; 0 for a bar.
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
    def full_width(self) -> float:
        """Width with the bands."""
        return self.width + BAND * len(self.bands)

    @property
    def top(self) -> float:
        """y of the front's upper edge."""
        return -(self.height - self.depth) / 2

    @property
    def arc_anchor(self) -> tuple[float, float]:
        """The upper right corner of the back, where arcs begin and end."""
        return (self.x + self.full_width + self.depth, self.top - self.depth)


@dataclass(frozen=True)
class Arc:
    """A skip connection, from the layer before a block to the sum at its end.

    Args:
        projected: Whether the skip has a 1x1 convolution.
    """

    name: str
    start: tuple[float, float]
    end: tuple[float, float]
    projected: bool
    details: tuple[str, ...]


@dataclass(frozen=True)
class Label:
    """The text of a shape, centred under its block."""

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
    """Lay out a plan."""
    details = _Details(plan)
    slabs = _set_positions(_set_sizes(_fold_bands(_build_slabs(plan, details))))
    arcs = _build_arcs(plan, slabs, details)
    width = max(slab.x + slab.full_width + slab.depth for slab in slabs)
    return Drawing(tuple(slabs), tuple(arcs), tuple(_build_labels(slabs)), width)


def _build_slabs(plan: Plan, details: _Details) -> Generator[Slab]:
    """Yield a slab for the image and each layer of the main path, without bands and sizes."""
    image = plan.spec.in_size
    yield Slab("input", "input", image, ("Image", f"shape: {shape_text(image)}"))
    for layer in plan.layers:
        if isinstance(layer, Residual):
            for leaf in (*layer.before, *layer.main):
                yield Slab(leaf.name, leaf.kind, leaf.out_shape, details.describe(leaf))
            words = ", ".join(["Sum with the skip", *map(kind_label, layer.after)])
            yield Slab(f"{layer.name}.sum", "sum", layer.out_shape, (words,))
        else:
            yield Slab(layer.name, layer.kind, layer.out_shape, details.describe(layer))


def _fold_bands(slabs: Iterable[Slab]) -> list[Slab]:
    """Move the layers of `BANDS` onto the slab before them."""
    folded: list[Slab] = []
    for slab in slabs:
        if slab.kind in BANDS:
            before = folded[-1]
            lines = (*before.details, f"then: {slab.details[0]}")
            folded[-1] = replace(before, bands=(*before.bands, slab.kind), details=lines)
        else:
            folded.append(slab)
    return folded


def _set_sizes(slabs: list[Slab]) -> list[Slab]:
    """Set width, height and depth of each slab."""
    maps = [slab.shape for slab in slabs if len(slab.shape) == 3]
    pixel = min(6.0, FACE / max(max(rows, columns) for _, rows, columns in maps))
    counts = [channels for channels, _, _ in maps]
    channel = min(1.2, WIDEST / max(counts), BLOCK_WIDTHS / sum(counts))
    longest = max((slab.shape[0] for slab in slabs if len(slab.shape) == 1), default=1)
    feature = min(1.5, FACE / longest)
    return [_set_size(slab, pixel, channel, feature) for slab in slabs]


def _set_size(slab: Slab, pixel: float, channel: float, feature: float) -> Slab:
    """Set the size of one slab in pixels, with minimums that stay visible."""
    if len(slab.shape) == 1:
        return replace(slab, width=BAR, height=max(2.0, slab.shape[0] * feature))
    channels, rows, columns = slab.shape
    return replace(
        slab,
        width=max(2.0, channels * channel),
        height=max(2.0, rows * pixel),
        depth=max(1.0, columns * pixel * SLANT),
    )


def _set_positions(slabs: list[Slab]) -> list[Slab]:
    """Set x of each slab; gaps shrink by one factor to reach the target width."""
    preferred = [_preferred_gap(*pair) for pair in itertools.pairwise(slabs)]
    room = TARGET_WIDTH - sum(slab.full_width for slab in slabs) - slabs[-1].depth
    share = min(1.0, max(0.0, room) / sum(preferred))
    placed, x = [], max(0.0, (_label_width(slabs[0]) - slabs[0].full_width) / 2)
    for slab, after, gap in itertools.zip_longest(slabs, slabs[1:], preferred):
        placed.append(replace(slab, x=x))
        if after is not None:
            x += slab.full_width + max(_smallest_gap(slab, after), gap * share)
    return placed


def _smallest_gap(slab: Slab, after: Slab) -> float:
    """Return the gap that remains in a wide network; a bar stands beside a block's side."""
    return SMALLEST_GAP + (0 if after.depth else slab.depth)


def _preferred_gap(slab: Slab, after: Slab) -> float:
    """Return the gap that shows a slab's side and leaves room for both labels."""
    labels = _label_width(slab) / 2 + _label_width(after) / 2 + LABEL_GAP
    return max(9 + 0.9 * slab.depth, labels - (slab.full_width + after.full_width) / 2)


def _label_width(slab: Slab) -> float:
    """Return the width of a slab's label."""
    return LABEL_CHARACTER * len(shape_label(slab.shape))


def _build_arcs(plan: Plan, slabs: list[Slab], details: _Details) -> Generator[Arc]:
    """Yield an arc over each block, from the layer before it to the sum at its end."""
    positions = {slab.name: i for i, slab in enumerate(slabs)}
    for block in plan.layers:
        if isinstance(block, Residual):
            convs = [leaf.name for leaf in block.main if leaf.kind == "conv2d"]
            before, last = slabs[positions[convs[0]] - 1], slabs[positions[convs[-1]]]
            is_projected = bool(block.shortcut)
            yield Arc(
                block.name,
                before.arc_anchor,
                last.arc_anchor,
                is_projected,
                details.describe_skip(block),
            )


def _build_labels(slabs: list[Slab]) -> Generator[Label]:
    """Yield labels that do not overlap: the ends first, then changes of shape, then the rest."""
    changes = [b for a, b in itertools.pairwise(slabs) if a.shape != b.shape]
    taken: list[tuple[float, float]] = []
    for slab in (slabs[0], slabs[-1], *changes, *slabs):
        half = _label_width(slab) / 2
        middle = slab.x + slab.full_width / 2
        if all(middle + half < left or middle - half > right for left, right in taken):
            taken.append((middle - half - LABEL_GAP + 1, middle + half + LABEL_GAP - 1))
            yield Label(middle, shape_label(slab.shape))


class _Details:
    """The tooltip texts of the layers of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.fields: dict[str, Field] = receptive_fields(plan)
        self.side = max(plan.spec.in_size[1:])
        self.params = sum(leaf.params for leaf in plan.walk())
        self.macs = sum(leaf.macs for leaf in plan.walk())

    def describe(self, layer: AnyLayer) -> tuple[str, ...]:
        """Describe a layer or a block, in lines; a band in one line."""
        if not isinstance(layer, Residual) and layer.kind in BANDS:
            return (_describe_in_line(layer),)
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
        size = self.fields[layer.name].size
        around = " (partly outside the image)" if size > self.side else ""
        lines.append(f"receptive field: {size} pixels{around}")
        return tuple(lines)

    def describe_skip(self, block: Residual) -> tuple[str, ...]:
        """Describe the skip of a block and the block, in lines."""
        kind, *lines = self.describe(block)
        through = [f"shortcut: {_describe_in_line(leaf)}" for leaf in block.shortcut]
        return (
            f"Skip connection of a {kind.lower()}",
            *lines,
            *(through or ["shortcut: identity, it adds the input of the block"]),
        )


def _describe_in_line(leaf: Leaf) -> str:
    """Describe a layer in one line."""
    params = f"{leaf.params:,} parameters" if leaf.params else ""
    return ", ".join(filter(None, (kind_label(leaf), settings_label(leaf), params)))

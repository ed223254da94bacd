"""The layout of a network's picture: a block for each feature map, a bar for each linear layer.

Sizes are to scale: height and depth of a block are those of its feature maps, its width is their
number. One linear scale holds for all blocks, another for the bars. Layers that change no shape
(norm, activation, dropout, the sum of a skip) are thin bands on the block before them, and their
details are part of its details.
The gaps stretch and shrink to fill the width. If a network is too wide for that, its repeated
columns fold, as in the Lab; what is still too wide exceeds the width.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace

from cnnlib.design.columns import columns, folds
from cnnlib.design.cost import Field, receptive_fields
from cnnlib.design.layers import AnyLayer, Leaf, Residual, Shape
from cnnlib.design.plan import Plan
from cnnlib.figures.labels import kind_label, settings_label, shape_label, shape_text

TARGET_WIDTH = 860
FACE = 150  # height of the tallest block and of the longest bar
SLANT = 0.4  # offset of a block's back edge, right and up, as a share of the map's width
BLOCK_SHARE = 0.45  # maximum sum of the widths of all blocks, as a share of the picture's width
WIDEST = 84  # maximum width of a block
BAND = 2.5
BAR = 7
SMALLEST_GAP = 4.0
CROWDED = 0.4  # share of the preferred gaps below which repeated columns fold
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
        layers: Names of its own layer and of the bands.
        column: Its place in `columns`.
        repeats: The equal columns that its column stands for.
        params, macs: Shares of those of the network, with the bands and all repeats.
        width: Width without the bands.
        depth: Offset of the back edge, right and up; 0 for a bar.
    """

    name: str
    kind: str
    shape: Shape
    details: tuple[str, ...]
    bands: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    column: int = 0
    repeats: int = 1
    params: float = 0.0
    macs: float = 0.0
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
        repeats: The equal blocks that its block stands for.
    """

    name: str
    start: tuple[float, float]
    end: tuple[float, float]
    projected: bool
    details: tuple[str, ...]
    repeats: int = 1


@dataclass(frozen=True)
class Label:
    """The text of a shape, centred under its block, and the shares of the network in its place."""

    x: float
    text: str
    params: str
    macs: str


@dataclass(frozen=True)
class Repeat:
    """A bracket under a column that stands for several equal ones."""

    x: float
    width: float
    count: int


@dataclass(frozen=True)
class Drawing:
    """A network laid out in pixels, in forward order from left to right."""

    slabs: tuple[Slab, ...]
    arcs: tuple[Arc, ...]
    labels: tuple[Label, ...]
    repeats: tuple[Repeat, ...]
    width: float


def draw(
    plan: Plan, *, width: float = TARGET_WIDTH, face: float = FACE, fold: bool = True
) -> Drawing:
    """Lay out a plan.

    Args:
        width: The width to fill, in pixels.
        face: Height of the tallest block.
        fold: Whether equal columns are folded into one where there is no room for all.
    """
    details = _Details(plan)
    slabs = _set_sizes(_fold_bands(_build_slabs(plan, details)), width, face)
    if fold and _gap_share(slabs, width) < CROWDED:
        slabs = _set_sizes(_fold_repeats(plan, slabs), width, face)
    slabs = _set_positions([details.with_shares(slab) for slab in slabs], width)
    arcs = _build_arcs(plan, slabs, details)
    end = max(slab.x + max(slab.full_width + slab.depth, _label_end(slab)) for slab in slabs)
    return Drawing(
        *(tuple(slabs), tuple(arcs), tuple(_build_labels(slabs))),
        repeats=tuple(_build_repeats(slabs)),
        width=end,
    )


def _build_slabs(plan: Plan, details: _Details) -> Generator[Slab]:
    """Yield a slab for the image and each layer of the main path, without bands and sizes."""
    image = plan.spec.in_size
    details_of_image = ("Image", f"shape: {shape_text(image)}")
    yield Slab("input", "input", image, details_of_image, layers=("input",))
    places = {name: i for i, column in enumerate(columns(plan)) for name in column.layers}
    for layer in plan.layers:
        column = places.get(layer.name, len(places))  # without one: the flattening of an average
        if isinstance(layer, Residual):
            for leaf in (*layer.before, *layer.main):
                yield _build_slab(leaf, details, column)
            words = ", ".join(["Sum with the skip", *map(kind_label, layer.after)])
            yield Slab(
                *(f"{layer.name}.sum", "sum", layer.out_shape, (words,)),
                layers=(layer.name,),
                column=column,
            )
        else:
            yield _build_slab(layer, details, column)


def _build_slab(leaf: Leaf, details: _Details, column: int) -> Slab:
    return Slab(
        *(leaf.name, leaf.kind, leaf.out_shape, details.describe(leaf)),
        layers=(leaf.name,),
        column=column,
    )


def _fold_bands(slabs: Iterable[Slab]) -> list[Slab]:
    """Move the layers of `BANDS` onto the slab before them."""
    folded: list[Slab] = []
    for slab in slabs:
        if slab.kind in BANDS:
            before = folded[-1]
            lines = (*before.details, f"then: {slab.details[0]}")
            layers = (*before.layers, *slab.layers)
            bands = (*before.bands, slab.kind)
            folded[-1] = replace(before, bands=bands, layers=layers, details=lines)
        else:
            folded.append(slab)
    return folded


def _fold_repeats(plan: Plan, slabs: Iterable[Slab]) -> list[Slab]:
    """Keep the first column of each run of equal ones."""
    runs = folds(columns(plan))
    counts = dict(runs)
    hidden = {place for start, count in runs for place in range(start + 1, start + count)}
    return [
        replace(slab, repeats=counts.get(slab.column, 1))
        for slab in slabs
        if slab.column not in hidden
    ]


def _set_sizes(slabs: list[Slab], width: float, face: float) -> list[Slab]:
    """Set width, height and depth of each slab."""
    maps = [slab.shape for slab in slabs if len(slab.shape) == 3]
    pixel = face / max(max(rows, columns) for _, rows, columns in maps)
    counts = [channels for channels, _, _ in maps]
    channel = min(3.0, WIDEST / max(counts), BLOCK_SHARE * width / sum(counts))
    longest = max((slab.shape[0] for slab in slabs if len(slab.shape) == 1), default=1)
    feature = min(1.5, face / longest)
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


def _gap_share(slabs: list[Slab], width: float) -> float:
    """Return the factor by which the preferred gaps fill the width; 0 where there is no room."""
    preferred = sum(_preferred_gap(*pair) for pair in itertools.pairwise(slabs))
    taken = sum(slab.full_width for slab in slabs) + _first_x(slabs[0])
    end = max(slabs[-1].depth, _label_end(slabs[-1]) - slabs[-1].full_width)
    return max(0.0, width - taken - end) / preferred


def _set_positions(slabs: list[Slab], width: float) -> list[Slab]:
    """Set x of each slab, so that all fill the width; at least the smallest gaps remain."""
    share = _gap_share(slabs, width)
    placed, x = [], _first_x(slabs[0])
    for slab, after in itertools.zip_longest(slabs, slabs[1:]):
        placed.append(replace(slab, x=x))
        if after is not None:
            gap = max(_smallest_gap(slab, after), share * _preferred_gap(slab, after))
            x += slab.full_width + gap
    return placed


def _first_x(slab: Slab) -> float:
    """Return x of the first slab, so that its label begins at 0."""
    return max(0.0, (_label_width(slab) - slab.full_width) / 2)


def _label_end(slab: Slab) -> float:
    """Return the right end of a slab's label, from x of the slab."""
    return (slab.full_width + _label_width(slab)) / 2


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
            if convs[0] not in positions:  # folded
                continue
            before, last = slabs[positions[convs[0]] - 1], slabs[positions[convs[-1]]]
            is_projected = bool(block.shortcut)
            yield Arc(
                block.name,
                before.arc_anchor,
                last.arc_anchor,
                is_projected,
                details.describe_skip(block),
                last.repeats,
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
            yield Label(
                *(middle, shape_label(slab.shape)),
                params=share_text(slab.params),
                macs=share_text(slab.macs),
            )


def _build_repeats(slabs: list[Slab]) -> Generator[Repeat]:
    """Yield a bracket under each column that stands for several."""
    for _, group in itertools.groupby(slabs, key=lambda slab: slab.column):
        first, *_, last = (*group,) * 2
        if first.repeats > 1:
            yield Repeat(first.x, last.x + last.full_width - first.x, first.repeats)


def share_text(share: float) -> str:
    """Format a share as a whole percentage, ``0%`` for none, ``<1%`` for little."""
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"


class _Details:
    """The tooltip texts of the layers of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.fields: dict[str, Field] = receptive_fields(plan)
        self.side = max(plan.spec.in_size[1:])
        self.leaves = {leaf.name: leaf for leaf in plan.walk()}
        self.params = sum(leaf.params for leaf in plan.walk())
        self.macs = sum(leaf.macs for leaf in plan.walk())

    def with_shares(self, slab: Slab) -> Slab:
        """Set the shares of a slab; the details of a folded one name its repeats."""
        leaves = [self.leaves[name] for name in slab.layers if name in self.leaves]
        params = slab.repeats * sum(leaf.params for leaf in leaves) / self.params
        macs = slab.repeats * sum(leaf.macs for leaf in leaves) / self.macs
        if slab.repeats > 1:
            lines = (
                f"repeats: {slab.repeats} equal ones",
                f"all together: {params:.1%} of the parameters, {macs:.1%} of the MACs",
            )
            slab = replace(slab, details=(*slab.details, *lines))
        return replace(slab, params=params, macs=macs)

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
        around = " (partly outside the picture)" if size > self.side else ""
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

"""The picture of a network as SVG text, for a page, a report or a file.

SVG instead of plotly, because a plotly figure takes 8 ms to build, and the browser destroys and
redraws it at every change; this text takes 1 ms, is updated in place, and has the page's text
colour. Each layer is a group with a title, for tooltips and screen readers.
"""

from __future__ import annotations

from collections.abc import Generator
from html import escape

from cnnlib.design.plan import Plan
from cnnlib.figures.architecture import BAND, FACE, SLANT, Arc, Drawing, Label, Slab, draw
from cnnlib.figures.theme import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, mix

# Kind -> colour, and label in the legend.
KINDS: dict[str, tuple[str, str]] = {
    "input": (GREY, ""),
    "conv2d": (BLUE, "convolution"),
    "norm": (GREEN, "norm"),
    "activation": (ORANGE, "activation"),
    "pool": (VERMILION, "pooling"),
    "dropout": (mix(GREY, "#000000", 0.45), "dropout"),
    "sum": (PURPLE, "skip and sum"),
    "global_avg_pool": (VERMILION, "pooling"),
    "flatten": (GREY, ""),
    "linear": (SKY, "linear"),
}

MARGIN = 8
NARROWEST = 360  # the width of the legend
ARC_ROOM = 34
_MIDDLE = ARC_ROOM + FACE * (1 + SLANT) / 2
_LABEL_LINE = _MIDDLE + FACE * (1 + SLANT) / 2 + 16
_LEGEND_LINE = _LABEL_LINE + 26
HEIGHT = _LEGEND_LINE + 10


def architecture_svg(plan: Plan) -> str:
    """Draw a network as SVG.

    Returns:
        One ``<svg>`` element; ``data-layer`` of a group is the layer's name, its title has lines of
        ``name: value``.
    """
    drawing = draw(plan)
    width = max(drawing.width, NARROWEST) + 2 * MARGIN
    kinds = {kind for slab in drawing.slabs for kind in (slab.kind, *slab.bands)}
    return "".join(
        (
            f'<svg class="arch" xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" '
            f'height="{HEIGHT:.0f}" viewBox="{-MARGIN} 0 {width:.0f} {HEIGHT:.0f}" '
            f'style="--width:{width:.0f}px;--height:{HEIGHT:.0f}px" '
            f'role="group" aria-label="{_describe(drawing)}"><style>{_write_css(kinds)}</style>'
            f'<g transform="translate(0 {_MIDDLE:.0f})">',
            *map(_draw_slab, drawing.slabs),
            *map(_draw_arc, drawing.arcs),
            "</g>",
            *map(_draw_label, drawing.labels),
            *_draw_legend(kinds),
            "</svg>",
        )
    )


def _describe(drawing: Drawing) -> str:
    """Describe the picture, for a screen reader."""
    kinds = [slab.kind for slab in drawing.slabs]
    return (
        f"Picture of a network. Convolutions: {kinds.count('conv2d')}; "
        f"skips: {len(drawing.arcs)}; linear layers: {kinds.count('linear')}"
    )


def _write_css(kinds: set[str]) -> str:
    """Write the CSS: fills of each kind's front, top (lighter) and side (darker)."""
    rules = [
        ".arch{color:inherit;font:11px sans-serif}.arch text{fill:currentColor}",
        ".arch path{stroke:#fff;stroke-opacity:.5;stroke-width:.5;stroke-linejoin:round}",
        f".arch .skip path{{fill:none;stroke:{PURPLE};stroke-opacity:1;stroke-width:1.6}}",
        ".arch .skip .wide{stroke-opacity:0;stroke-width:9;pointer-events:stroke}",
        ".arch .middle{text-anchor:middle}.arch g{outline:none}",
        ".arch [data-layer]:hover,.arch [data-layer]:focus{filter:brightness(1.25)}",
    ]
    for kind in sorted(kinds):
        colour = KINDS[kind][0]
        rules.append(
            f".{kind}>.f{{fill:{colour}}}.{kind}>.t{{fill:{mix(colour, '#ffffff', 0.4)}}}"
            f".{kind}>.s{{fill:{mix(colour, '#000000', 0.3)}}}"
        )
    return "".join(rules)


def _draw_slab(slab: Slab) -> str:
    """Draw a block with its bands: front and top of each, and one side at the right end."""
    faces = _draw_front_and_top(slab, slab.x, slab.width)
    x = slab.x + slab.width
    for kind in slab.bands:
        faces += f'<g class="{kind}">{_draw_front_and_top(slab, x, BAND)}</g>'
        x += BAND
    if slab.depth:
        outline = f"{_slant(slab)}v{slab.height:.1f}{_slant_back(slab)}z"
        faces += f'<path class="s" d="M{x:.1f} {slab.top:.1f}{outline}"/>'
    return _write_group(slab.kind, slab.name, slab.details, faces)


def _draw_front_and_top(slab: Slab, x: float, width: float) -> str:
    """Draw the front and the top of a part of a slab; a bar has only a front."""
    start = f"M{x:.1f} {slab.top:.1f}"
    front = f'<path class="f" d="{start}h{width:.1f}v{slab.height:.1f}h{-width:.1f}z"/>'
    if not slab.depth:
        return front
    return front + f'<path class="t" d="{start}{_slant(slab)}h{width:.1f}{_slant_back(slab)}z"/>'


def _slant(slab: Slab) -> str:
    """Write the path along the depth, to the back."""
    return f"l{slab.depth:.1f} {-slab.depth:.1f}"


def _slant_back(slab: Slab) -> str:
    """Write the path along the depth, to the front."""
    return f"l{-slab.depth:.1f} {slab.depth:.1f}"


def _draw_arc(arc: Arc) -> str:
    """Draw a skip, and a wide invisible path that is easier to point at."""
    (x, y), (to_x, to_y) = arc.start, arc.end
    rise = min(ARC_ROOM * 1.2, 10 + 0.3 * (to_x - x))
    over = f"C{x:.1f} {y - rise:.1f} {to_x:.1f} {to_y - rise:.1f} {to_x:.1f} {to_y:.1f}"
    path = f"M{x:.1f} {y:.1f}{over}"
    dashes = ' stroke-dasharray="4 3"' if arc.projected else ""
    lines = f'<path class="wide" d="{path}"/><path d="{path}"{dashes}/>'
    return _write_group("skip", arc.name, arc.details, lines)


def _write_group(kind: str, name: str, details: tuple[str, ...], content: str) -> str:
    """Write a group with a tooltip."""
    title = escape("\n".join(details))
    return f'<g class="{kind}" data-layer="{escape(name)}"><title>{title}</title>{content}</g>'


def _draw_label(label: Label) -> str:
    return f'<text class="middle" x="{label.x:.1f}" y="{_LABEL_LINE:.0f}">{label.text}</text>'


def _draw_legend(kinds: set[str]) -> Generator[str]:
    """Yield a square and a label for each kind in the picture."""
    labels = dict.fromkeys(label for kind, (_, label) in KINDS.items() if label and kind in kinds)
    colours = {label: colour for colour, label in KINDS.values()}
    x = 0.0
    for label in labels:
        yield (
            f'<rect x="{x:.0f}" y="{_LEGEND_LINE - 9:.0f}" width="9" height="9" rx="2" '
            f'fill="{colours[label]}"/><text x="{x + 13:.0f}" y="{_LEGEND_LINE:.0f}">{label}</text>'
        )
        x += 27 + 5.8 * len(label)

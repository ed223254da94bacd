"""The picture of a network as SVG text, for a page, a report or a file.

SVG instead of plotly, because a plotly figure takes 8 ms to build, and the browser destroys and
redraws it at every change; this text takes 1 ms, is updated in place, and has the page's text
colour. Each layer is a group with a title, for tooltips and screen readers.
"""

from __future__ import annotations

from collections.abc import Generator
from html import escape

from cnnlib.design.plan import Plan
from cnnlib.figures.architecture import (
    BAND,
    FACE,
    SLANT,
    TARGET_WIDTH,
    Arc,
    Drawing,
    Label,
    Repeat,
    Slab,
    draw,
)
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
ARC_ROOM = 34
PALE = "#d3dde6"  # of a layer without a share of the network


def architecture_svg(
    plan: Plan, *, width: float = TARGET_WIDTH, face: float = FACE, fold: bool = True
) -> str:
    """Draw a network as SVG.

    With the attribute ``data-tint="params"`` or ``"macs"`` of the element, layers are coloured by
    their share of the network's parameters or MACs, and the shares stand in place of the shapes.

    Args:
        width, face, fold: As of `draw`.

    Returns:
        One ``<svg>`` element; ``data-layer`` of a group is the layer's name, its title has lines of
        ``name: value``. Its height depends on `width` and `face` alone.
    """
    drawing = draw(plan, width=width, face=face, fold=fold)
    kinds = {kind for slab in drawing.slabs for kind in (slab.kind, *slab.bands)}
    middle = ARC_ROOM + face * (1 + SLANT) / 2
    label_line = middle + face * (1 + SLANT) / 2 + 16
    largest = (
        max(slab.params for slab in drawing.slabs),
        max(slab.macs for slab in drawing.slabs),
    )
    legend = list(_draw_legend(kinds, width))
    full_width = max(drawing.width, width) + 2 * MARGIN
    height = label_line + (56 if width < LEGEND_WIDTH else 42)
    return "".join(
        (
            f'<svg class="arch" xmlns="http://www.w3.org/2000/svg" width="{full_width:.0f}" '
            f'height="{height:.0f}" viewBox="{-MARGIN} 0 {full_width:.0f} {height:.0f}" '
            f'role="group" aria-label="{_describe(drawing)}"><style>{_write_css(kinds)}</style>'
            f'<g transform="translate(0 {middle:.0f})">',
            *(_draw_slab(slab, *largest) for slab in drawing.slabs),
            *map(_draw_arc, drawing.arcs),
            f'</g><g transform="translate(0 {label_line:.0f})">',
            *map(_draw_label, drawing.labels),
            *map(_draw_repeat, drawing.repeats),
            "</g>",
            f'<g transform="translate(0 {label_line + 34:.0f})">{"".join(legend)}</g>',
            "</svg>",
        )
    )


def _describe(drawing: Drawing) -> str:
    """Describe the picture, for a screen reader."""
    kinds = [slab.kind for slab in drawing.slabs for _ in range(slab.repeats)]
    return (
        f"Picture of a network. Convolutions: {kinds.count('conv2d')}; "
        f"skips: {sum(arc.repeats for arc in drawing.arcs)}; "
        f"linear layers: {kinds.count('linear')}"
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
        ".arch .bracket{fill:none;stroke:currentColor}.arch :is(.params,.macs){display:none}",
        ".arch[data-tint] :is(.shape,.kind){display:none}",
        *(_write_tint(quantity) for quantity in ("params", "macs")),
    ]
    for kind in sorted(kinds):
        colour = KINDS[kind][0]
        rules.append(
            f".{kind}>.f{{fill:{colour}}}.{kind}>.t{{fill:{mix(colour, '#ffffff', 0.4)}}}"
            f".{kind}>.s{{fill:{mix(colour, '#000000', 0.3)}}}"
        )
    return "".join(rules)


def _write_tint(quantity: str) -> str:
    """Write the CSS of the colours by share."""
    tinted = f".arch[data-tint={quantity}]"
    fill = f"color-mix(in srgb,{BLUE} var(--{quantity}),{PALE})"
    return (
        f"{tinted} .{quantity}{{display:inline}}{tinted} .f{{fill:{fill}}}"
        f"{tinted} .t{{fill:color-mix(in srgb,{fill},#fff 40%)}}"
        f"{tinted} .s{{fill:color-mix(in srgb,{fill},#000 30%)}}"
    )


def _draw_slab(slab: Slab, params: float, macs: float) -> str:
    """Draw a block with its bands: front and top of each, and one side at the right end.

    Args:
        params, macs: The largest shares of any slab in the drawing.
    """
    faces = _draw_front_and_top(slab, slab.x, slab.width)
    x = slab.x + slab.width
    for kind, name in zip(slab.bands, slab.layers[1:], strict=True):
        part = _draw_front_and_top(slab, x, BAND)
        faces += f'<g class="{kind}" data-band="{escape(name)}">{part}</g>'
        x += BAND
    if slab.depth:
        outline = f"{_slant(slab)}v{slab.height:.1f}{_slant_back(slab)}z"
        faces += f'<path class="s" d="M{x:.1f} {slab.top:.1f}{outline}"/>'
    shares = f"--params:{slab.params / params:.0%};--macs:{slab.macs / macs:.0%}"
    return _write_group(slab.kind, slab.name, slab.details, faces, f' style="{shares}"')


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


def _write_group(
    kind: str, name: str, details: tuple[str, ...], content: str, attributes: str = ""
) -> str:
    """Write a group with a tooltip."""
    title = escape("\n".join(details))
    return (
        f'<g class="{kind}" data-layer="{escape(name)}"{attributes}><title>{title}</title>'
        f"{content}</g>"
    )


def _draw_label(label: Label) -> str:
    texts = {"shape": label.text, "params": label.params, "macs": label.macs}
    return "".join(
        f'<text class="middle {name}" x="{label.x:.1f}">{escape(text)}</text>'
        for name, text in texts.items()
    )


def _draw_repeat(repeat: Repeat) -> str:
    """Draw a bracket and the number of repeats, under the labels."""
    return (
        f'<path class="bracket" d="M{repeat.x:.1f} 5v4h{repeat.width:.1f}v-4"/>'
        f'<text class="middle" x="{repeat.x + repeat.width / 2:.1f}" y="20">× {repeat.count}</text>'
    )


LEGEND_WIDTH = 480  # of all kinds in one line


def _draw_legend(kinds: set[str], width: float) -> Generator[str]:
    """Yield a square and a label for each kind in the picture; and the scale of the shares."""
    labels = dict.fromkeys(label for kind, (_, label) in KINDS.items() if label and kind in kinds)
    colours = {label: colour for colour, label in KINDS.values()}
    x, y = 0.0, 0
    for label in labels:
        step = 27 + 5.8 * len(label)
        if x + step > width:
            x, y = 0.0, y + 14
        yield (
            f'<rect class="kind" x="{x:.0f}" y="{y - 9}" width="9" height="9" rx="2" '
            f'fill="{colours[label]}"/><text class="kind" x="{x + 13:.0f}" y="{y}">{label}</text>'
        )
        x += step
    for quantity, noun in (("params", "parameters"), ("macs", "MACs")):
        yield (
            f'<g class="{quantity}"><rect y="-9" width="9" height="9" rx="2" fill="{PALE}"/>'
            f'<text x="13">no {noun}</text><rect x="100" y="-9" width="9" height="9" rx="2" '
            f'fill="{BLUE}"/><text x="113">largest share</text></g>'
        )

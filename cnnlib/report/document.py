"""The frame of every report: one HTML file with its style sheet, which needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from cnnlib.figures.theme import CATEGORICAL, PAGE_TOKENS

_SERIES = "".join(f".c{number}{{--c:{colour}}}" for number, colour in enumerate(CATEGORICAL))
# Of the charts, with the colours --text, --muted, --line and --page of what they stand in.
CHART_STYLE = """
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(25rem,100%),1fr));gap:1.4rem}
figure{margin:0;min-width:0}
figcaption{font-weight:600;font-size:.9rem;margin-bottom:.2rem}
svg{display:block;max-width:100%;height:auto}
svg.chart{width:100%;max-width:33rem}
.chart text{fill:currentColor;font:12px var(--font,system-ui,sans-serif)}
.chart .muted{fill:var(--muted)}
.chart .end{text-anchor:end}.chart .middle{text-anchor:middle}
.chart .grid-line{stroke:var(--line)}.chart .zero{stroke:var(--muted)}
.chart .area{fill:var(--c);fill-opacity:.18}.chart .margin{fill:var(--muted);fill-opacity:.16}
.chart .line{fill:none;stroke:var(--c,var(--muted));stroke-width:2;stroke-linejoin:round}
.chart .thin{stroke:var(--c);stroke-width:1.5}
.chart .dot{fill:var(--c,var(--muted))}
.chart .ring{fill:var(--page);stroke:var(--c);stroke-width:1.5}
.chart .bar{fill:var(--c)}
.chart .d1{stroke-dasharray:6 3}.chart .d2{stroke-dasharray:2 3}.chart .d3{stroke-dasharray:8 3 2 3}
.legend{display:flex;flex-wrap:wrap;gap:.1rem 1rem;list-style:none;margin:.2rem 0 0;padding:0;
font-size:.85rem}
.legend li{display:flex;align-items:center;gap:.4rem;overflow-wrap:anywhere}
.legend svg{flex:none}
"""
# Of the card at the top.
CARD_STYLE = """
.hero{background:var(--card);border-left:6px solid var(--c,var(--muted));border-radius:6px;
padding:1.1rem 1.3rem}
.hero .label{color:var(--muted);font-size:.8rem;letter-spacing:.04em;text-transform:uppercase}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.9rem 1.4rem;
margin:1rem 0 0}
.facts dt{color:var(--muted);font-size:.8rem}.facts dd{margin:0}
.facts strong{display:block;font-size:1.2rem}
"""
# Of tables and their notes.
TABLE_STYLE = """
.note{color:var(--muted);font-size:.875rem}
.wide{overflow-x:auto;max-width:100%}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}
caption{text-align:left;font-weight:600;padding:.2rem 0 .4rem}
th,td{padding:.3rem .7rem .3rem 0;border-bottom:1px solid var(--line);text-align:left;
vertical-align:top}
th{font-weight:600}tbody th{font-weight:400;color:var(--muted)}
td,th{overflow-wrap:break-word}
td.number,th.number{text-align:right;padding-left:.7rem;white-space:nowrap}
"""
STYLE = (
    f":root{{color-scheme:light dark;{PAGE_TOKENS}}}"
    """
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;margin:0 auto;
max-width:62rem;padding:1.5rem 1rem 3rem;background:var(--page);color:var(--text)}
h1{font-size:clamp(1.4rem,4vw,2rem);line-height:1.2;margin:.2rem 0 .6rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.2rem 0 .6rem;padding-top:.8rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1rem 0 .3rem;overflow-wrap:anywhere}
p{margin:.4rem 0;max-width:46rem}
ul.plain{margin:.4rem 0;padding-left:1.2rem;max-width:46rem}
"""
    + TABLE_STYLE
    + CARD_STYLE
    + CHART_STYLE
    + """
svg.arch{width:auto}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(7.2rem,1fr));gap:.8rem;margin:0;
padding:0;list-style:none}
.tiles li{background:var(--card);border-radius:6px;padding:.5rem;font-size:.78rem;line-height:1.35;
overflow-wrap:anywhere}
.tiles img{display:block;width:100%;aspect-ratio:1;object-fit:contain;image-rendering:pixelated;
border-radius:3px;margin-bottom:.35rem;background:var(--track)}
.tiles small{white-space:nowrap;color:var(--muted)}.tiles div{margin-top:.1rem}
.right{color:var(--good);font-weight:600}
.rows td,.rows th{white-space:nowrap}
@media (max-width:40rem){.wide svg.arch{max-width:none}table{font-size:.82rem}
th,td{padding-right:.4rem}td.number,th.number{padding-left:.4rem}
tbody th{min-width:7rem}.hero{padding:.9rem 1rem}}
@page{size:A4;margin:14mm 13mm}
@media print{:root{color-scheme:light}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
body{font-size:10pt;max-width:none;padding:0}
h1{font-size:18pt}h2{font-size:12.5pt;margin-top:1.2rem}h1,h2,h3,caption,figcaption,.note,h2+p{
break-after:avoid}
.hero,figure,tr,p,.grid,.wide:not(.rows),.tiles li,.facts div{break-inside:avoid}
.facts{grid-template-columns:repeat(4,1fr);gap:.8rem}
.wide{overflow:visible}table{font-size:8.5pt}
.rows table{font-size:6.5pt}.rows td,.rows th{padding:.2rem .3rem .2rem 0}
.rows th,.rows td:not(.number){white-space:normal}
.grid{grid-template-columns:1fr 1fr;gap:1rem}
.tiles{grid-template-columns:repeat(7,1fr);gap:.4rem}.tiles li{padding:.3rem;font-size:7pt}}
"""
    + _SERIES
)


def write_document(title: str, body: str) -> str:
    """Write a whole HTML file.

    Args:
        title: Plain text.
        body: HTML.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )


def write_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: Sequence[bool],
    caption: str = "",
    first_is_heading: bool = False,
    kind: str = "",
) -> str:
    """Write a table of plain texts, in a box that scrolls where it is too wide.

    Args:
        numbers: Whether each column is aligned to the right.
        first_is_heading: The first cell of each row names the row.
        kind: "rows" for a table of many columns, whose cells stay on one line on a screen.
    """
    head = "".join(
        f'<th scope="col"{_align(is_number)}>{escape(text)}</th>'
        for text, is_number in zip(headings, numbers, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row">{escape(text)}</th>'
            if first_is_heading and column == 0
            else f"<td{_align(numbers[column])}>{escape(text)}</td>"
            for column, text in enumerate(row)
        )
        + "</tr>"
        for row in rows
    )
    box = f"wide {kind}".rstrip()
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="{box}"><table>{title}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def write_section(title: str, *parts: str) -> str:
    """Write a section with a heading; "" where all its parts are empty."""
    content = "".join(parts)
    return f"<section><h2>{escape(title)}</h2>{content}</section>" if content else ""


def write_paragraph(text: str, kind: str = "") -> str:
    """Write a paragraph of plain text, such as one of the kind "note"; "" for an empty text."""
    attribute = f' class="{kind}"' if kind else ""
    return f"<p{attribute}>{escape(text)}</p>" if text else ""


def write_list(sentences: Sequence[str]) -> str:
    """Write a list of sentences, each emphasised up to its first colon; "" for none."""
    items = "".join(f"<li>{_emphasise_start(sentence)}</li>" for sentence in sentences)
    return f'<ul class="plain">{items}</ul>' if items else ""


def _emphasise_start(sentence: str) -> str:
    start, colon, rest = sentence.partition(":")
    return f"<strong>{escape(start)}</strong>{colon}{escape(rest)}" if colon else escape(sentence)


def _align(is_number: bool) -> str:
    return ' class="number"' if is_number else ""

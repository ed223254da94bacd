"""Charts of a report as small SVG, in the colours of the page.

SVG instead of plotly, whose program alone is ten times as large as a whole report. Each chart is a
``figure`` with a caption, a description for screen readers, and a legend below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10
from typing import TYPE_CHECKING

from cnnlib.figures.labels import EQUAL_RANGE
from cnnlib.figures.theme import CATEGORICAL
from cnnlib.units import format_points, percent, short_count

if TYPE_CHECKING:
    from cnnlib.records.compare import Curve, Point, Verdict

_WIDTH, _HEIGHT = 460, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 14, 24, 38
_DASHES = 4  # kinds of lines
_LONGEST_NAME = 18


@dataclass(frozen=True)
class Axis:
    """A scale: from values to pixels, linear or logarithmic.

    Args:
        low, high: Values at its ends.
        start, end: Pixels at its ends.
    """

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def place(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high, value = (
            (log10(self.low), log10(self.high), log10(value))
            if self.is_log
            else (self.low, self.high, value)
        )
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Return round values within the scale."""
        if not self.is_log:
            return round_values(self.low, self.high, most)
        powers = range(floor(log10(self.low)), ceil(log10(self.high)) + 1)
        for factors in ((1,), (1, 3), (1, 2, 5)):
            values = [factor * 10.0**power for power in powers for factor in factors]
            found = [value for value in values if self.low <= value <= self.high]
            if len(found) > 2:
                return found
        return found


def round_values(low: float, high: float, most: int = 6) -> list[float]:
    """Return multiples of 1, 2 or 5 times a power of ten within a range, at most so many.

    Example:
        >>> round_values(0, 10), round_values(94.1, 97.3)
        ([0.0, 2.0, 4.0, 6.0, 8.0, 10.0], [95.0, 96.0, 97.0])
    """
    rough = (high - low) / most
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [round(number * step, 12) + 0.0 for number in range(first, last + 1)]


def curves_chart(curves: Sequence[Curve], title: str, *, is_share: bool) -> str:
    """Draw means over the epochs as lines, with a band from the lowest to the highest seed.

    Args:
        is_share: The values are fractions, shown in per cent.
    """
    if not curves:
        return ""
    scale = 100 if is_share else 1
    ends = [scale * value for curve in curves for value in (*curve.low, *curve.high)]
    epochs = [epoch for curve in curves for epoch in curve.epochs]
    x, y = _horizontal(min(epochs), max(epochs)), _vertical(min(ends), max(ends))
    parts = [_axes(x, y, "Epoch", f"{title} (%)" if is_share else title, whole_x=True)]
    for number, curve in enumerate(curves):
        low, mean, high = (
            [
                (x.place(epoch), y.place(scale * v))
                for epoch, v in zip(curve.epochs, values, strict=True)
            ]
            for values in (curve.low, curve.mean, curve.high)
        )
        parts.append(_area(low, high, number) if curve.seeds > 1 else "")
        parts.append(_line(mean, number))
        if len(mean) < 30:
            parts += [_dot(*point, number) for point in mean]
    last = "; ".join(
        f"{curve.name} {percent(curve.mean[-1]) if is_share else f'{curve.mean[-1]:.4f}'}"
        for curve in curves
    )
    seeds = [
        f"{curve.name}, {curve.seeds} seeds" if curve.seeds > 1 else curve.name for curve in curves
    ]
    legend = _legend([(_swatch(number), name) for number, name in enumerate(seeds)])
    return _figure(title, f"{title} over the epochs. After the last epoch: {last}.", parts, legend)


def duel_chart(verdict: Verdict, differences: Sequence[float], direction: str) -> str:
    """Draw the difference of each pair, the mean after each pair, and the sequential interval.

    Args:
        differences: Of each pair, B minus A, fractions.
        direction: The names: ``B minus A``.
    """
    if not verdict.looks:
        return ""
    looks = [look for look in verdict.looks if look.low is not None and look.high is not None]
    ends = [100 * end for look in looks for end in (look.low or 0.0, look.high or 0.0)]
    within = 100 * verdict.within
    shown = [*ends, *(100 * each for each in differences), 1.3 * within, -1.3 * within, 0.0]
    x, y = _horizontal(0.5, len(verdict.looks) + 0.5), _vertical(min(shown), max(shown))
    parts = [_margin(y, within), _axes(x, y, "Pair", f"{direction} (points)", whole_x=True)]
    zero = y.place(0)
    parts.append(f'<path class="zero" d="M{x.start} {zero:.1f}H{x.end}"/>')
    low, high = (
        [(x.place(look.pairs), y.place(100 * (getattr(look, end) or 0.0))) for look in looks]
        for end in ("low", "high")
    )
    if len(looks) == 1:
        (at, bottom), (_, top) = low[0], high[0]
        parts.append(f'<path class="thin c0" d="M{at:.1f} {bottom:.1f}V{top:.1f}"/>')
    elif looks:
        parts.append(_area(low, high, 0))
    parts.append(
        _line([(x.place(look.pairs), y.place(100 * look.mean)) for look in verdict.looks], 0)
    )
    parts += [
        f'<circle class="ring c1" cx="{x.place(pair):.1f}" cy="{y.place(100 * each):.1f}" r="3.5"/>'
        for pair, each in enumerate(differences, 1)
    ]
    last = verdict.looks[-1]
    text = f"Mean difference after {last.pairs} pairs: {format_points(last.mean)} points"
    if verdict.low is not None and verdict.high is not None:
        text += f", interval {format_points(verdict.low)} to {format_points(verdict.high)}"
    legend = _legend(
        [
            (_swatch(0), "mean of the pairs so far, with its interval"),
            (_ring("ring c1"), "difference of one pair"),
        ]
    )
    return _figure("The difference, pair by pair", f"{text}.", parts, legend)


def interval_line(
    mean: float, interval: tuple[float, float] | None, within: float, direction: str
) -> str:
    """Draw a difference with its interval on a line with zero and the equivalence margin.

    Args:
        mean, within: Fractions, as are the ends of the interval.
    """
    low, high = interval or (mean, mean)
    reach = [100 * each for each in (low, high, mean, 0.0, -1.5 * within, 1.5 * within)]
    space = max(0.08 * (max(reach) - min(reach)), 0.05)
    x = Axis(min(reach) - space, max(reach) + space, 10, 450)
    left, right = x.place(-100 * within), x.place(100 * within)
    zero, at = x.place(0), x.place(100 * mean)
    parts = [f'<path class="zero" d="M{zero:.1f} 6V40M10 40H450"/>']
    if within:
        label = min(max((left + right) / 2, 60), 400)  # within the picture
        parts += [
            f'<rect class="margin" x="{left:.1f}" y="6" width="{right - left:.1f}" height="34"/>',
            f'<text class="middle muted" x="{label:.1f}" y="0">{EQUAL_RANGE}</text>',
        ]
    parts += [
        f'<text class="middle muted" x="{x.place(tick):.1f}" y="55">{_number(tick)}</text>'
        for tick in x.ticks(8)
    ]
    if interval is not None:
        start, end = x.place(100 * low), x.place(100 * high)
        parts.append(
            f'<path class="line" style="stroke-width:4" d="M{start:.1f} 23H{end:.1f}"/>'
            f'<path class="line" d="M{start:.1f} 15v16M{end:.1f} 15v16"/>'
        )
    parts.append(f'<circle class="dot" cx="{at:.1f}" cy="23" r="6"/>')
    parts.append(f'<text class="middle muted" x="230" y="72">{escape(direction)} (points)</text>')
    ends = f", interval {format_points(low)} to {format_points(high)}" if interval else ""
    text = f"{direction}: {format_points(mean)} points{ends}"
    return (
        f'<svg class="chart" style="max-width:34rem" viewBox="0 -14 460 92" role="img" '
        f'aria-label="{escape(text)}">{"".join(parts)}</svg>'
    )


def class_chart(
    rows: Sequence[tuple[str, float, float, float]], names: tuple[str, str], title: str
) -> str:
    """Draw the difference in each class as a bar, towards the better design.

    Args:
        rows: Class, mean difference B minus A over the pairs, and its smallest and largest value.
        names: Of A and of B.
    """
    if not rows:
        return ""
    height = 22
    label = 16 + 7 * min(_LONGEST_NAME, max(len(row[0]) for row in rows))
    ends = [100 * value for row in rows for value in row[1:]]
    reach = max(0.1, *map(abs, ends)) * 1.25
    x = Axis(-reach, reach, label, _WIDTH - _RIGHT)
    bottom = 28 + height * len(rows)
    parts = [
        f'<path class="grid-line" d="M{x.place(tick):.1f} 24V{bottom}"/>'
        f'<text class="middle muted" x="{x.place(tick):.1f}" y="{bottom + 16}">'
        f"{_number(tick)}</text>"
        for tick in x.ticks(5)
    ]
    zero = x.place(0)
    left, right = f"← {_cut(names[0])} better", f"{_cut(names[1])} better →"
    parts.append(
        f'<text class="end" x="{zero - 6:.1f}" y="14">{escape(left)}</text>'
        f'<text x="{zero + 6:.1f}" y="14">{escape(right)}</text>'
    )
    for number, (name, mean, low, high) in enumerate(rows):
        middle = 28 + height * number + height / 2
        at = x.place(100 * mean)
        start, width = min(zero, at), abs(at - zero)
        parts.append(
            f'<text class="end" x="{label - 8}" y="{middle + 4:.1f}">{escape(_cut(name))}</text>'
            f'<rect class="bar c{int(mean > 0)}" x="{start:.1f}" y="{middle - 6:.1f}" '
            f'width="{max(width, 0.5):.1f}" height="12"><title>{escape(name)}: '
            f"{format_points(mean)} points ({format_points(low)} to {format_points(high)})"
            f'</title></rect><path class="zero" d="M{x.place(100 * low):.1f} {middle:.1f}'
            f'H{x.place(100 * high):.1f}"/>'
        )
    parts.append(f'<path class="zero" d="M{zero:.1f} 24V{bottom}"/>')
    parts.append(
        f'<text class="middle muted" x="{(label + _WIDTH - _RIGHT) / 2}" y="{bottom + 32}">'
        "points of accuracy on the test split</text>"
    )
    values = "; ".join(f"{name} {format_points(mean)}" for name, mean, _, _ in rows)
    text = f"{names[1]} minus {names[0]} in points, by class: {values}."
    return _figure(title, text, parts, height=bottom + 40)


def points_chart(points: Sequence[Point], title: str, x_title: str) -> str:
    """Draw test accuracy against cost, with intervals.

    Args:
        points: Their names begin with a number and a colon; the number stands in the chart.
    """
    if not points:
        return ""
    costs = [point.cost for point in points]
    ends = [100 * end for p in points for end in (p.accuracy, p.low, p.high) if end is not None]
    is_log = 0 < 20 * min(costs) < max(costs)
    if is_log:
        x = Axis(min(costs) / 1.3, max(costs) * 1.3, _LEFT, _WIDTH - _RIGHT, is_log=True)
    else:
        space = 0.06 * (max(costs) - min(costs)) or 0.5 * max(costs) or 1.0
        x = _horizontal(max(0.0, min(costs) - space), max(costs) + space)
    y = _vertical(min(ends), max(ends))
    parts = [_axes(x, y, x_title, "Test accuracy (%)")]
    frontier = sorted((p for p in points if p.on_frontier), key=lambda point: point.cost)
    steps = "".join(
        f"{'M' if number == 0 else 'H'}{x.place(point.cost):.1f}"
        + (
            f" {y.place(100 * point.accuracy):.1f}"
            if number == 0
            else f"V{y.place(100 * point.accuracy):.1f}"
        )
        for number, point in enumerate(frontier)
    )
    parts.append(
        f'<path class="zero" fill="none" stroke-dasharray="3 3" d="{steps}"/>' if steps else ""
    )
    for number, point in enumerate(points):
        at, level = x.place(point.cost), y.place(100 * point.accuracy)
        kind = f"c{number % len(CATEGORICAL)}"
        if point.low is not None and point.high is not None:
            low, high = y.place(100 * point.low), y.place(100 * point.high)
            parts.append(f'<path class="thin {kind}" d="M{at:.1f} {low:.1f}V{high:.1f}"/>')
        parts.append(
            f'<circle class="dot {kind}" cx="{at:.1f}" cy="{level:.1f}" r="4.5"><title>'
            f"{escape(point.name)}: {percent(point.accuracy)}</title></circle>"
            f'<text x="{at + 7:.1f}" y="{level - 5:.1f}">'
            f"{escape(point.name.partition(':')[0])}</text>"
        )
    values = "; ".join(f"{p.name} {short_count(p.cost)}, {percent(p.accuracy)}" for p in points)
    legend = _legend(
        [(_ring(f"dot c{n % len(CATEGORICAL)}"), point.name) for n, point in enumerate(points)]
    )
    return _figure(title, f"{title}: {values}.", parts, legend)


def _figure(
    caption: str, text: str, parts: Sequence[str], legend: str = "", *, height: float = _HEIGHT
) -> str:
    """Write a figure: caption, drawing with its description, and a legend."""
    return (
        f"<figure><figcaption>{escape(caption)}</figcaption>"
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {height:.0f}" role="img" '
        f'aria-label="{escape(text)}">{"".join(parts)}</svg>{legend}</figure>'
    )


def _legend(entries: Sequence[tuple[str, str]]) -> str:
    """Write the legend of pairs of a drawn mark and a plain text."""
    items = "".join(f"<li>{mark}{escape(text)}</li>" for mark, text in entries)
    return f'<ul class="legend">{items}</ul>'


def _ring(kind: str) -> str:
    """Draw the mark of a point for a legend."""
    return (
        '<svg class="chart" style="width:14px" width="14" height="14" aria-hidden="true">'
        f'<circle class="{kind}" cx="7" cy="7" r="4"/></svg>'
    )


def _swatch(number: int) -> str:
    """Draw the line of a series for its legend."""
    return (
        '<svg class="chart" style="width:26px" width="26" height="10" aria-hidden="true">'
        f'<path class="line {_kind(number)}" d="M1 5H25"/></svg>'
    )


def _kind(number: int) -> str:
    """Return the classes of the n-th series: its colour, and its dashes."""
    return f"c{number % len(CATEGORICAL)} d{number % _DASHES}"


def _horizontal(low: float, high: float) -> Axis:
    """Return the scale of x; one single value is in its middle."""
    space = 0.5 if low == high else 0.0
    return Axis(low - space, high + space, _LEFT, _WIDTH - _RIGHT)


def _vertical(low: float, high: float) -> Axis:
    """Return the scale of y, with a little space at its ends."""
    space = 0.06 * (high - low) or max(0.05 * abs(high), 0.5)
    return Axis(low - space, high + space, _HEIGHT - _BOTTOM, _TOP)


def _axes(x: Axis, y: Axis, x_title: str, y_title: str, *, whole_x: bool = False) -> str:
    """Draw grid, numbers and titles."""
    at_x = [tick for tick in x.ticks() if not whole_x or tick == int(tick)]
    across = "".join(
        f'<path class="grid-line" d="M{x.start} {y.place(tick):.1f}H{x.end}"/>'
        f'<text class="end muted" x="{_LEFT - 6}" y="{y.place(tick) + 4:.1f}">'
        f"{_number(tick)}</text>"
        for tick in y.ticks()
    )
    below = "".join(
        f'<text class="middle muted" x="{x.place(tick):.1f}" y="{y.start + 16:.1f}">'
        f"{_number(tick)}</text>"
        for tick in at_x
    )
    middle = (x.start + x.end) / 2
    return (
        f'{across}{below}<text class="muted" x="2" y="12">{escape(y_title)}</text>'
        f'<text class="middle muted" x="{middle}" y="{y.start + 32:.1f}">{escape(x_title)}</text>'
    )


def _margin(y: Axis, within: float) -> str:
    """Draw the range in which differences count as equal."""
    if not within:
        return ""
    top, bottom = y.place(within), y.place(-within)
    right = _WIDTH - _RIGHT
    return (
        f'<rect class="margin" x="{_LEFT}" y="{top:.1f}" width="{right - _LEFT}" '
        f'height="{bottom - top:.1f}"/>'
        f'<text class="end muted" x="{right - 4}" y="{top - 3:.1f}">{EQUAL_RANGE}</text>'
    )


def _area(
    low: Sequence[tuple[float, float]], high: Sequence[tuple[float, float]], number: int
) -> str:
    """Draw the area between two lines."""
    return f'<path class="area {_kind(number)}" d="{_path([*low, *reversed(high)])}z"/>'


def _line(points: Sequence[tuple[float, float]], number: int) -> str:
    return f'<path class="line {_kind(number)}" d="{_path(points)}"/>'


def _dot(x: float, y: float, number: int) -> str:
    return f'<circle class="dot {_kind(number)}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>'


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _number(value: float) -> str:
    """Format the number of a tick: ``0.5``, ``−2``, ``20 K``."""
    text = short_count(value) if abs(value) >= 10_000 else f"{value:g}"
    return text.replace("-", "−")


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"

"""Chart records from rows of the results table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from cnnlib.compare.columns import column
from cnnlib.compare.differences import differing_settings
from cnnlib.compare.seeds import accuracy_interval
from cnnlib.records.compare import ClassScores, Curve, Point, SettingLine

if TYPE_CHECKING:
    from cnnlib.compare.rows import Row

EpochMetric = Literal["train_loss", "train_accuracy", "val_loss", "val_accuracy", "test_accuracy"]
Cost = Literal["params", "macs", "seconds"]


def curves(rows: Sequence[Row], metric: EpochMetric) -> list[Curve]:
    """Return a metric over the epochs of each row; rows without it are left out."""
    all_curves = [
        _curve(row, name, metric, place)
        for place, (row, name) in enumerate(zip(rows, labels(rows), strict=True))
    ]
    return [curve for curve in all_curves if curve is not None]


def accuracy_against(rows: Sequence[Row], cost: Cost) -> list[Point]:
    """Return the test accuracy and the cost of each row with a result.

    The Pareto frontier is marked.
    """
    points = []
    for place, (row, name) in enumerate(zip(rows, labels(rows), strict=True)):
        cost_value, scores = column(cost).value(row), row.numbers("test_accuracy")
        if cost_value is None or not scores or not row.has_result:
            continue
        interval, _ = accuracy_interval(scores, row.test_pictures)
        low, high = (interval.low, interval.high) if interval else (None, None)
        mean = fmean(scores)
        points.append(Point(name, float(cost_value), mean, low, high, place=place))
    return [_mark_frontier(point, points) for point in points]


def settings(rows: Sequence[Row]) -> list[SettingLine]:
    """Return the settings in which rows differ, with the mean validation accuracy of each row.

    A row without a result has no accuracy here.
    """
    table = differing_settings(rows)
    lines = []
    for index, (row, name) in enumerate(zip(rows, labels(rows), strict=True)):
        scores = row.numbers("last_val_accuracy") if row.has_result else []
        values = {setting: values[index] for setting, values in table.items()}
        lines.append(SettingLine(name, values, fmean(scores) if scores else None))
    return lines


def class_scores(row: Row, name: str, results: Sequence[Any], place: int = 0) -> ClassScores:
    """Compute the mean accuracy per class over the test results of a row's seeds."""
    classes = zip_longest(*(result.class_accuracy for result in results))
    known = [[value for value in values if value is not None] for values in classes]
    means = tuple(fmean(values) if values else None for values in known)
    return ClassScores(name, means, place)


def labels(rows: Sequence[Row]) -> list[str]:
    """Return a label for each row; equal names get a number."""
    names = [row.shown_name for row in rows]
    seen: dict[str, int] = {}
    labels = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        labels.append(f"{name} ({seen[name]})" if names.count(name) > 1 else name)
    return labels


def _curve(row: Row, name: str, metric: EpochMetric, place: int) -> Curve | None:
    """Return the curve of one row; None where no epoch has the metric in all seeds."""
    series = [[getattr(epoch, metric) for epoch in run] for run in row.epochs]
    length = min((len(values) for values in series), default=0)
    indices = [
        index for index in range(length) if all(values[index] is not None for values in series)
    ]
    if not indices:
        return None
    at = [[values[index] for values in series] for index in indices]
    return Curve(
        name,
        tuple(row.epochs[0][index].epoch for index in indices),
        tuple(map(fmean, at)),
        tuple(map(min, at)),
        tuple(map(max, at)),
        len(series),
        place,
    )


def _mark_frontier(point: Point, points: Sequence[Point]) -> Point:
    """Mark a point that no other dominates (as cheap, as good, and better in one of the two)."""
    is_dominated = any(
        other.cost <= point.cost
        and other.accuracy >= point.accuracy
        and (other.cost, other.accuracy) != (point.cost, point.accuracy)
        for other in points
    )
    return replace(point, on_frontier=not is_dominated)

"""What the component of the results table shows: cells, intervals on one scale, headings, chips."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from cnnlib.compare.columns import Column, cells
from cnnlib.compare.groups import headings, parents
from cnnlib.compare.results_table import search_problem
from cnnlib.compare.seeds import accuracy_interval
from cnnlib.experiments.study import KINDS
from cnnlib.figures.theme import colour
from cnnlib.report.text import format_value
from cnnlib.runs import studies
from cnnlib.ui.common.format import dataset_label
from cnnlib.ui.common.shared import run_store
from cnnlib.ui.common.urls import at_root
from cnnlib.units import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.compare.groups import Heading
    from cnnlib.compare.rows import Row

_CURVE = {
    "name": "curve",
    "title": "Curve",
    "kind": "curve",
    "help": "Validation accuracy after each epoch, for the first seed",
}


def table_data(
    rows: Sequence[Row],
    found: Sequence[Row],
    drawn: Sequence[Column],
    chosen: Sequence[Row],
    search: str,
) -> dict[str, Any]:
    """Return what the component shows, as plain JSON values.

    Rows that belong to another row, or to a study, name it as their parent; a study is a row
    without cells.

    Args:
        found: The rows that the search finds.
    """
    known = headings(studies.find_all(run_store(), list(KINDS)))
    parent = parents(rows, known)
    used = dict.fromkeys(parent[row.key] for row in rows if parent.get(row.key) in known)
    colours = {row.key: colour(number) for number, row in enumerate(chosen)}
    accuracies = [_accuracy(row) for row in rows]
    scales = _scales(rows, accuracies)
    draw = {each.name: _cells(rows, each) for each in drawn}
    if "test_accuracy" in draw:
        draw["test_accuracy"] = [
            _place(found, scales.get(row.request.dataset, (0.0, 1.0)))
            for row, found in zip(rows, accuracies, strict=True)
        ]
    records = [
        {
            "key": row.key,
            "name": row.shown_name,
            "parent": parent.get(row.key, ""),
            "colour": colours.get(row.key, ""),
            "dataset": row.request.dataset,
            "text": row.search_text,
            "cells": {"curve": _curve(row)}
            | {each.name: draw[each.name][number] for each in drawn if each.name != "name"},
        }
        for number, row in enumerate(rows)
    ]
    kinds = [
        {"name": each.name, "title": each.title, "kind": _kind(each), "help": each.help}
        for each in drawn
    ]
    return {
        "rows": _in_order(records, [known[key] for key in used]),
        "columns": [*kinds[:1], _CURVE, *kinds[1:]],
        "selected": [row.key for row in chosen],
        "scales": {dataset: _ruler(ends) for dataset, ends in scales.items()},
        "search": search,
        "found": None if len(found) == len(rows) else [row.key for row in found],
        "problem": search_problem(search),
        "chips": filter_chips(rows),
    }


def _in_order(records: Sequence[dict[str, Any]], used: Sequence[Heading]) -> list[dict[str, Any]]:
    """Put each heading before the first of its rows."""
    waiting = {each.key: each for each in used}
    ordered = []
    for record in records:
        if heading := waiting.pop(record["parent"], None):
            address = f"{at_root('results')}?{heading.what}={heading.key}"
            ordered.append(
                {
                    "key": heading.key,
                    "name": heading.title,
                    "what": heading.what.title(),
                    "heading": True,
                    "parent": "",
                    "address": address,
                }
            )
        ordered.append(record)
    return ordered


_COSTS = ("params", "macs", "seconds")


def _kind(shown: Column) -> str:
    """Return how a column is drawn: its kind, or as a dot with an interval, or as a bar."""
    if shown.name == "test_accuracy":
        return "accuracy"
    return "cost" if shown.name in _COSTS else shown.kind


def _cells(rows: Sequence[Row], shown: Column) -> list[dict[str, Any]]:
    """Return the cells of one column: text, value to sort by, and the length of a bar, 0..1."""
    values = [each[shown.name] for each in cells(rows, [shown])]
    if shown.name == "dataset":
        values = [dataset_label(value) for value in values]
    found = [{"text": format_value(value, shown), "sort": value} for value in values]
    if shown.kind in ("percent", "loss"):  # runs without a result come last in each order
        found = [
            cell if row.has_result else cell | {"sort": None}
            for row, cell in zip(rows, found, strict=True)
        ]
    if shown.name == "val_accuracy":
        found = [cell | {"note": _note(row)} for row, cell in zip(rows, found, strict=True)]
    if _kind(shown) == "cost":
        most = max((value for value in values if value is not None), default=0) or 1
        return [cell | {"share": (cell["sort"] or 0) / most} for cell in found]
    return found


def _note(row: Row) -> str:
    """Return what stands beside a validation accuracy: its interval, or why it is no result."""
    if not row.has_result:
        return row.runs[0].progress_text
    interval, _ = accuracy_interval(row.numbers("last_val_accuracy"), row.val_pictures)
    return f"{100 * interval.low:.1f} to {percent(interval.high, 1)}" if interval else ""


@dataclass(frozen=True)
class _Accuracy:
    """The test accuracy of a row; an interval that is not known has no width.

    Args:
        note: Why it is no result; "" for a result.
    """

    mean: float
    low: float
    high: float
    said: str
    note: str


def _accuracy(row: Row) -> _Accuracy | None:
    scores = row.numbers("test_accuracy")
    if not scores:
        return None
    mean = fmean(scores)
    interval, over = accuracy_interval(scores, row.test_pictures)
    note = row.runs[0].progress_text
    start = ", ".join(filter(None, (f"{percent(mean)} test accuracy", note)))
    if interval is None:
        return _Accuracy(mean, mean, mean, f"{start}, without an interval", note)
    ends = f"{100 * interval.low:.2f} to {percent(interval.high)}"
    said = f"{start}, 95 % interval {ends} over {'seeds' if over == 'seeds' else 'test pictures'}"
    return _Accuracy(mean, interval.low, interval.high, said, note)


def _place(found: _Accuracy | None, ends: tuple[float, float]) -> dict[str, Any]:
    """Return the cell of an accuracy: its places on a scale with these ends, 0..1."""
    if found is None:
        return {"sort": None}
    if found.note:  # outside the scale, which is that of the results
        text = percent(found.mean)
        return {"text": text, "sort": None, "said": found.said, "note": found.note}
    start, length = ends[0], ends[1] - ends[0]
    places = {"at": found.mean, "from": found.low, "to": found.high}
    shares = {name: (value - start) / length for name, value in places.items()}
    return {"text": percent(found.mean), "sort": found.mean, "said": found.said, **shares}


def _scales(
    rows: Sequence[Row], accuracies: Sequence[_Accuracy | None]
) -> dict[str, tuple[float, float]]:
    """Return the ends of the scale of each dataset, as fractions.

    Its right end is that of the highest interval. A row far below the others, such as one that
    guesses, would press them together: the scale reaches below the median at most `_REACH` times as
    far as the best row is above it.
    """
    by_dataset: dict[str, list[_Accuracy]] = {}
    for row, found in zip(rows, accuracies, strict=True):
        if found is not None and row.has_result:
            by_dataset.setdefault(row.request.dataset, []).append(found)
    return {dataset: _ends(known) for dataset, known in by_dataset.items()}


def _ends(known: Sequence[_Accuracy]) -> tuple[float, float]:
    middle, best = median(each.mean for each in known), max(each.mean for each in known)
    lowest = middle - _REACH * max(best - middle, _NARROWEST)
    low = max(min(each.low for each in known), lowest)
    high = max(each.high for each in known)
    pad = max(0.05 * (high - low), _NARROWEST / 10)
    return max(0.0, low - pad), min(1.0, high + pad)


_REACH = 6
_NARROWEST = 0.005


def _ruler(ends: tuple[float, float]) -> dict[str, str]:
    return {"low_text": f"{100 * ends[0]:.1f}", "high_text": percent(ends[1], 1)}


def _curve(row: Row) -> dict[str, Any]:
    """Return the validation accuracy of the first run per epoch; no points for a single epoch."""
    epochs = row.epochs[0] if row.epochs else ()
    points = [epoch.val_accuracy for epoch in epochs if epoch.val_accuracy is not None]
    if len(points) < 2:
        return {"sort": None}
    text = f"Validation accuracy from {percent(points[0])} to {percent(points[-1])}"
    return {"points": points, "text": text, "sort": points[-1]}


def filter_chips(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Return the searches that one press adds: a dataset of several, and several seeds."""
    datasets = sorted({row.request.dataset for row in rows if " " not in row.request.dataset})
    chips = {f"dataset={name}": dataset_label(name) for name in datasets if len(datasets) > 1}
    if len({len(row.runs) >= 3 for row in rows}) > 1:
        chips["seeds>=3"] = "3 or more seeds"
    return [{"label": label, "word": word} for word, label in chips.items()]

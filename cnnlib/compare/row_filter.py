"""The search of the results table: words in a row, and comparisons with its numbers."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING

from cnnlib.compare.columns import COLUMNS

if TYPE_CHECKING:
    from cnnlib.compare.annotations import Annotation
    from cnnlib.compare.rows import Row

_COMPARISON = re.compile(r"([a-z0-9_]+)(<=|>=|<|>|=)(.+)")
_SIGNS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
}
_SHORT = {"test": "test_accuracy", "validation": "val_accuracy", "val": "val_accuracy"}


def row_matches(row: Row, note: Annotation, search: str) -> bool:
    """Return whether a row matches every word of a search.

    A word occurs in the text of the row: its name, dataset, note, tags, preset, optimiser,
    schedule, block, norm, ids. A comparison such as ``test>99``, ``params<=1e5``, ``seeds>=3``,
    ``dataset=mnist`` or ``tag=old`` tests one column; accuracies are in per cent, and no comparison
    matches an unknown number.
    """
    words = search.casefold().split()
    if not words:
        return True
    text = _searchable_text(row, note)
    return all(_matches_word(row, note, text, word) for word in words)


def _matches_word(row: Row, note: Annotation, text: str, word: str) -> bool:
    """Return whether a row matches one word or comparison."""
    match = _COMPARISON.fullmatch(word)
    if not match:
        return word in text
    name, sign, wanted = match.groups()
    if name == "tag":
        return sign == "=" and wanted in map(str.casefold, note.tags)
    column = COLUMNS.get(_SHORT.get(name, name))
    if column is None:
        return word in text
    value = column.value(row)
    if column.kind == "text":
        return sign == "=" and str(value).casefold() == wanted
    try:
        number = float(wanted)
    except ValueError:
        return False
    if value is None:
        return False
    return _SIGNS[sign](100 * value if column.kind == "percent" else value, number)


def _searchable_text(row: Row, note: Annotation) -> str:
    """Join the texts of a row in which words are searched."""
    request = row.request
    recipe = request.recipe
    text = (
        *(note.name, row.name, request.dataset, note.note, *note.tags, request.preset),
        *(recipe.optimizer, recipe.schedule, request.spec.block, request.spec.norm),
        *(run.id for run in row.runs),
    )
    return " ".join(text).casefold()

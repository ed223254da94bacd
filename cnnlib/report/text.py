"""The results table as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cnnlib.compare.columns import Column, cells
from cnnlib.units import percent

if TYPE_CHECKING:
    from cnnlib.compare.rows import Row

_NUMBERS = ("percent", "loss", "count", "seconds", "rate")


def to_csv(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """Write CSV: full precision, a row per design, accuracies as fractions, None as empty."""
    file = io.StringIO()
    writer = csv.DictWriter(file, [column.name for column in columns], lineterminator="\n")
    writer.writeheader()
    for row in cells(rows, columns):
        writer.writerow({name: _escape_formula(value) for name, value in row.items()})
    return file.getvalue()


def _escape_formula(value: Any) -> Any:
    """Prefix text that a spreadsheet would run as a formula: names are untrusted input."""
    return f"'{value}" if isinstance(value, str) and value[:1] in _FORMULA_STARTS else value


_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def to_markdown(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """Write a Markdown table, numbers aligned to the right."""
    table = [
        [column.title for column in columns],
        ["---:" if column.kind in _NUMBERS else "---" for column in columns],
        *format_cells(rows, columns),
    ]
    return "".join(f"| {' | '.join(map(_escape_markdown, row))} |\n" for row in table)


def to_latex(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    r"""Write a LaTeX ``tabular``, which needs no package; include it by ``\input``."""
    alignments = "".join("r" if column.kind in _NUMBERS else "l" for column in columns)
    head = " & ".join(escape_latex(column.title) for column in columns)
    body = "".join(
        " & ".join(map(escape_latex, row)) + " \\\\\n" for row in format_cells(rows, columns)
    )
    return (
        f"\\begin{{tabular}}{{{alignments}}}\n\\hline\n{head} \\\\\n\\hline\n{body}\\hline\n"
        "\\end{tabular}\n"
    )


def format_cells(rows: Sequence[Row], columns: Sequence[Column]) -> list[list[str]]:
    """Format every cell for a reader, row by row."""
    return [
        [format_value(row[column.name], column) for column in columns]
        for row in cells(rows, columns)
    ]


def format_value(value: Any, column: Column) -> str:
    """Format a value with its unit; "" for None."""
    if value is None:
        return ""
    match column.kind:
        case "percent":
            return percent(value)
        case "loss":
            return f"{value:.4f}"
        case "count":
            return f"{value:,}"
        case "seconds":
            return f"{value:.1f}"
        case "rate":
            return f"{value:,.0f}"
    return " ".join(str(value).split())


def escape_latex(text: str) -> str:
    """Escape text for LaTeX; characters that its basic fonts lack become question marks.

    The fonts have ASCII and the letters of western Europe, which LaTeX reads as UTF-8 since 2018.
    """
    letters = (letter if letter.isascii() or letter in _ACCENTED else "?" for letter in text)
    return "".join(_LATEX.get(letter, letter) for letter in letters)


_ACCENTED = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿ±–×")

_LATEX = {letter: f"\\{letter}" for letter in "&%$#_{}"} | {
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "±": "$\\pm$",
    "–": "--",
    "×": "$\\times$",
}


def _escape_markdown(text: str) -> str:
    """Escape text for the cell of a Markdown table."""
    return "".join(_MARKDOWN.get(letter, letter) for letter in text)


_MARKDOWN = {letter: f"\\{letter}" for letter in "\\|`*[]$"} | {"<": "&lt;", ">": "&gt;"}

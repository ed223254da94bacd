"""The results table as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from cnnlib.compare.columns import Column, cells
from cnnlib.units import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.compare.rows import Row

_NUMBERS = ("percent", "loss", "count", "seconds", "rate")


def to_csv(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """Full precision, one row per design, accuracies as fractions; an empty cell for None."""
    file = io.StringIO()
    writer = csv.DictWriter(file, [column.name for column in columns], lineterminator="\n")
    writer.writeheader()
    for line in cells(rows, columns):
        writer.writerow({name: _for_spreadsheet(value) for name, value in line.items()})
    return file.getvalue()


def _for_spreadsheet(value: Any) -> Any:
    """Text that a spreadsheet takes for no formula: names come from anybody."""
    return f"'{value}" if isinstance(value, str) and value[:1] in _FORMULA else value


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_markdown(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """A table for a README, numbers to the right."""
    lines = [
        [column.title for column in columns],
        ["---:" if column.kind in _NUMBERS else "---" for column in columns],
        *shown_cells(rows, columns),
    ]
    return "".join(f"| {' | '.join(map(_for_markdown, line))} |\n" for line in lines)


def to_latex(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    r"""A ``tabular`` that needs no package: ``\input`` it where a table is to stand."""
    places = "".join("r" if column.kind in _NUMBERS else "l" for column in columns)
    head = " & ".join(for_latex(column.title) for column in columns)
    body = "".join(
        " & ".join(map(for_latex, line)) + " \\\\\n" for line in shown_cells(rows, columns)
    )
    return (
        f"\\begin{{tabular}}{{{places}}}\n\\hline\n{head} \\\\\n\\hline\n{body}\\hline\n"
        "\\end{tabular}\n"
    )


def shown_cells(rows: Sequence[Row], columns: Sequence[Column]) -> list[list[str]]:
    """Every cell as people read it."""
    found = cells(rows, columns)
    return [[shown(line[column.name], column) for column in columns] for line in found]


def shown(value: Any, column: Column) -> str:
    """One value with its unit; "" where it is not known."""
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


def for_latex(text: str) -> str:
    """Text in which LaTeX sees no command; what its basic fonts lack becomes a question mark.

    They have ASCII, and the letters of western Europe, which LaTeX reads as UTF-8 since 2018.
    """
    known = (letter if letter.isascii() or letter in _ACCENTED else "?" for letter in text)
    return "".join(_LATEX.get(letter, letter) for letter in known)


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


def _for_markdown(text: str) -> str:
    """Text that stays in its cell."""
    return "".join(_MARKDOWN.get(letter, letter) for letter in text)


_MARKDOWN = {letter: f"\\{letter}" for letter in "\\|`*[]$"} | {"<": "&lt;", ">": "&gt;"}

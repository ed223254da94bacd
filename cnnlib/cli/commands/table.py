"""``table``: print or export the results table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnlib.cli.output import print_json, print_table
from cnnlib.cli.parser import MOST_SHOWN, UsageError, one_of, shown, whole_number_from
from cnnlib.cli.store import has_store, open_store
from cnnlib.records.files import file_errors, replacing

if TYPE_CHECKING:
    from cnnlib.compare.columns import Column
    from cnnlib.compare.rows import Row

PRESETS = ("results", "course texts", "cost", "learning")  # as in cnnlib.compare.columns
# As in cnnlib.report.page; of the options' help.
FORMATS = {"csv": "CSV", "markdown": "Markdown", "latex": "LaTeX", "html": "HTML"}


def add_commands(commands: Any) -> None:
    """Add this group's commands to the parser."""
    table = commands.add_parser(
        "table",
        help="compare designs: mean and spread over seeds",
        description="One row per design and recipe: runs that differ only in their seed share a "
        "row with mean and spread. The best validation accuracy comes first.",
    )
    table.add_argument("--dataset", metavar="NAME", help="only runs on this dataset")
    table.add_argument("--group", metavar="NAME", help="only runs of this group")
    table.add_argument(
        "--search",
        metavar="TEXT",
        default="",
        help="only rows that match these words: lenet5 test>99",
    )
    column_group = table.add_mutually_exclusive_group()
    column_group.add_argument(
        "--columns", metavar="A,B", help="columns by name; seconds_to_95 is the time to 95 %%"
    )
    column_group.add_argument(
        "--preset",
        metavar="NAME",
        type=one_of(PRESETS),
        default="results",
        help=f"a set of columns: {', '.join(PRESETS)}",
    )
    table.add_argument("--sort", metavar="COLUMN", help="sort by a column, largest value first")
    table.add_argument(
        "--ascending", action="store_true", help="sort with the smallest value first"
    )
    table.add_argument(
        "--limit",
        metavar="N",
        type=whole_number_from(1, MOST_SHOWN),
        help="at most this many rows",
    )
    table.add_argument("--all", action="store_true", help="include hidden rows")
    table.add_argument("--output", metavar="FILE", help="write to a file instead of the screen")
    format_group = table.add_mutually_exclusive_group()
    format_group.add_argument("--json", action="store_true", help="print a JSON list")
    for name, title in FORMATS.items():
        format_group.add_argument(f"--{name}", action="store_true", help=f"print {title}")
    table.set_defaults(command=show_table)


def show_table(args: argparse.Namespace) -> int:
    """Print the results table."""
    from cnnlib.compare.columns import COLUMN_PRESETS, columns

    names = args.columns.split(",") if args.columns else COLUMN_PRESETS[args.preset]
    selected = columns(name.strip() for name in names)
    rows = _rows(args)
    if args.sort:
        rows = _sorted(rows, columns([args.sort])[0], args.ascending)
    rows = rows if args.limit is None else rows[: max(0, args.limit)]
    text = _as_file(rows, selected, args)
    if text is not None:
        if args.output is None:
            print(text, end="")
        else:
            write_file(text, args.output)
        return 0
    if args.output:
        raise UsageError("--output needs a format. Add --csv, --markdown, --latex or --html.")
    if args.json:
        print_json(_json(rows, selected))
    elif not rows:
        print("No row matches." if has_store() else "No runs yet.")
    else:
        _print(rows, selected)
    return 0


def _rows(args: argparse.Namespace) -> list[Row]:
    """Load the rows that match the options, by validation accuracy."""
    if not has_store():
        return []
    from cnnlib.compare.results_table import ResultsTable

    table = ResultsTable(open_store())
    rows = table.rows(hidden=args.all, search=args.search, group=args.group)
    return [row for row in rows if args.dataset in (None, row.request.dataset)]


def _sorted(rows: Sequence[Row], column: Column, ascending: bool) -> list[Row]:
    """Sort by a column; runs without a result and rows without a value come last."""
    known = [row for row in rows if row.has_result and column.value(row) is not None]
    rest = [row for row in rows if row not in known]
    return sorted(known, key=column.value, reverse=not ascending) + rest


def _as_file(
    rows: Sequence[Row], selected: Sequence[Column], args: argparse.Namespace
) -> str | None:
    """Return the table in the format of the options; None without a format."""
    wanted = [name for name in FORMATS if getattr(args, name)]
    if not wanted:
        return None
    from cnnlib.report import page

    return page.FORMATS[wanted[0]].write(rows, selected)


def write_file(text: str, output: str) -> None:
    """Write a text into a file.

    Raises:
        UsageError: It cannot be written.
    """
    what = f"The file {shown(output)} cannot be written"
    with file_errors(UsageError, what, "Choose another file."), replacing(Path(output)) as file:
        file.write_text(text, encoding="utf-8")


def _json(rows: Sequence[Row], selected: Sequence[Column]) -> list[dict[str, Any]]:
    from cnnlib.compare.columns import cells

    return [
        {"key": row.key, "run_ids": [run.id for run in row.runs], "row_seeds": row.seeds} | values
        for row, values in zip(rows, cells(rows, selected), strict=True)
    ]


def _print(rows: Sequence[Row], selected: Sequence[Column]) -> None:
    from cnnlib.compare.rows import best_of_sentence
    from cnnlib.report.text import format_cells

    print_table([column.title for column in selected], format_cells(rows, selected))
    if sentence := best_of_sentence(rows):
        print(f"\n{sentence}")

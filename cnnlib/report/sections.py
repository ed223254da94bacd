"""Parts that every report has: the designs as pictures, the recipes, and how the runs were made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING

import cnnlib
from cnnlib.compare.charts import curves
from cnnlib.compare.differences import recipe_settings
from cnnlib.design.cost import cost
from cnnlib.design.plan import plan
from cnnlib.figures.architecture_svg import architecture_svg
from cnnlib.figures.labels import describe_design
from cnnlib.records.recipe import Recipe
from cnnlib.records.setting_labels import setting_label, value_label
from cnnlib.report.document import write_paragraph, write_table
from cnnlib.report.svg import curves_chart
from cnnlib.units import listed, plural

if TYPE_CHECKING:
    from cnnlib.compare.rows import Row
    from cnnlib.design.spec import CNNSpec
    from cnnlib.records.run import Run

_ALWAYS_SHOWN = ("epochs", "batch_size", "optimizer", "lr", "weight_decay", "schedule")


def write_designs(designs: Sequence[tuple[str, CNNSpec]]) -> str:
    """Draw each design, with a description and its number of parameters and operations."""
    return "".join(
        f"<figure><h3>{escape(name)}</h3>{write_paragraph(_describe(spec), 'note')}"
        f'<div class="wide">{architecture_svg(plan(spec))}</div></figure>'
        for name, spec in designs
    )


def write_curves(rows: Sequence[Row], more: str = "") -> str:
    """Draw the curves of rows, with their spread over the seeds; "" without any.

    Args:
        more: Sentence after the explanation.
    """
    charts = [
        curves_chart(curves(rows, "val_accuracy"), "Validation accuracy", is_share=True),
        curves_chart(curves(rows, "train_loss"), "Training loss", is_share=False),
    ]
    if not any(charts):
        return ""
    note = f"Line: mean over seeds. Band: from the lowest to the highest seed. {more}".rstrip()
    return f'{write_paragraph(note, "note")}<div class="grid">{"".join(charts)}</div>'


def write_recipes(recipes: Mapping[str, Recipe]) -> str:
    """Write the settings of recipes as a table; equal recipes share a column.

    Args:
        recipes: By the name of the design.
    """
    names: dict[Recipe, list[str]] = {}
    for name, recipe in recipes.items():
        names.setdefault(recipe, []).append(name)
    default = recipe_settings(Recipe())
    settings = [recipe_settings(recipe) for recipe in names]
    shown = [
        name
        for name, value in default.items()
        if name in _ALWAYS_SHOWN or any(each[name] != value for each in settings)
    ]
    titles = ["Value"] if len(names) == 1 else [listed(each) for each in names.values()]
    return write_table(
        ["Setting", *titles],
        [
            [setting_label(name), *(value_label(name, each[name]) for each in settings)]
            for name in shown
        ],
        numbers=[False] * (1 + len(titles)),
        first_is_heading=True,
    )


def write_provenance(runs: Iterable[Run], made: float, *, started: float | None = None) -> str:
    """Write on what machines, in what modes and with what versions the runs were made, and when.

    Args:
        made: When the report is made, seconds since 1970.
        started: When the first of the runs was asked for; None for the first of them.
    """
    runs = list(runs)
    machines = sorted({run.machine.processor for run in runs if run.machine})
    modes = sorted({run.mode for run in runs if run.mode})
    versions = sorted(
        {
            f"{_PROGRAMS.get(name, name)} {version}"
            for run in runs
            if run.machine
            for name, version in run.machine.versions.items()
        }
    )
    begin = min((run.created for run in runs), default=None) if started is None else started
    facts = {
        "Runs": f"{len(runs):,}",
        "Started": "" if begin is None else format_date(begin),
        "Processor or GPU": ", ".join(machines),
        "Execution mode": ", ".join(modes),
        "Versions of the training": ", ".join(versions),
        "Report": f"made on {format_date(made)} with CNN Lab {cnnlib.__version__}",
    }
    return write_table(
        ["Fact", "Value"],
        [[name, value] for name, value in facts.items() if value],
        numbers=[False, False],
        first_is_heading=True,
    )


_PROGRAMS = {"cnnlib": "CNN Lab", "torch": "PyTorch", "python": "Python"}


def format_date(seconds: float) -> str:
    """Format seconds since 1970 as local date and time."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def _describe(spec: CNNSpec) -> str:
    """Describe a design in a line: its parts, parameters and operations."""
    price = cost(plan(spec))
    return (
        f"{describe_design(spec)}. {plural(price.params, 'parameter')}, "
        f"{price.macs:,} multiply-accumulate operations for one picture."
    )

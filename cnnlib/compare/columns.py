"""The columns of the results table: name, unit and the function that reads a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from cnnlib.compare.rows import trained_on
from cnnlib.compare.seeds import accuracy_interval, summary
from cnnlib.errors import RecipeError
from cnnlib.units import plural

if TYPE_CHECKING:
    from cnnlib.compare.rows import Row
    from cnnlib.records.events import EpochEnd

Kind = Literal["text", "percent", "loss", "count", "seconds", "rate"]


@dataclass(frozen=True)
class Column:
    """One column.

    Args:
        name: Key in CSV and JSON, where accuracies are fractions.
        title: Heading in tables.
        kind: Format in tables: "percent" (a fraction 0..1), "count" (whole), "rate" (per second).
    """

    name: str
    title: str
    kind: Kind
    help: str
    value: Callable[[Row], Any]


def column(name: str) -> Column:
    """Return the column of that name; ``seconds_to_95`` is the time to 95 % on validation.

    Raises:
        RecipeError: There is no such column.
    """
    if name in COLUMNS:
        return COLUMNS[name]
    goal = name.removeprefix("seconds_to_")
    if goal != name and goal.replace(".", "", 1).isdecimal() and 0 < float(goal) <= 100:
        return _time_to(float(goal))
    raise RecipeError(
        f"There is no column {name!r}. Choose from: {', '.join(COLUMNS)}, or seconds_to_95 for the "
        "time to 95 % on the validation split."
    )


def columns(names: Iterable[str]) -> tuple[Column, ...]:
    """Return several columns by name, in the given order."""
    return tuple(column(name) for name in names)


def cells(rows: Sequence[Row], shown: Sequence[Column]) -> list[dict[str, Any]]:
    """Return one dict per row: values by column name, None where a number is not known (yet)."""
    return [{each.name: each.value(row) for each in shown} for row in rows]


def _mean(name: str) -> Callable[[Row], float | None]:
    """Build the mean over seeds."""

    def value(row: Row) -> float | None:
        values = row.numbers(name)
        return fmean(values) if values else None

    return value


def _sd(name: str) -> Callable[[Row], float | None]:
    """Build the standard deviation over seeds."""

    def value(row: Row) -> float | None:
        over_seeds = summary(row.numbers(name))
        return over_seeds.sd if over_seeds else None

    return value


def _end(name: str, pictures: str, end: str) -> Callable[[Row], float | None]:
    """Build one end of the interval: ``"low"`` or ``"high"``."""

    def value(row: Row) -> float | None:
        interval, _ = accuracy_interval(row.numbers(name), getattr(row, pictures))
        return getattr(interval, end) if interval else None

    return value


def _ends(split: str, title: str, name: str) -> list[Column]:
    """Build the columns of both ends of the interval of a split."""
    return [
        Column(
            *(f"{split}_{end}", f"{title} {word}", "percent"),
            f"{which} end of the 95 % confidence interval of the {title.lower()} accuracy",
            _end(name, f"{split}_pictures", end),
        )
        for end, word, which in (("low", "from", "Lower"), ("high", "to", "Upper"))
    ]


def _interval_over(row: Row) -> str:
    """Return the kind of the interval of a row."""
    over = accuracy_interval(row.numbers("test_accuracy"), row.test_pictures)[1]
    over = over or accuracy_interval(row.numbers("last_val_accuracy"), row.val_pictures)[1]
    return {"seeds": "seeds (t)", "pictures": "pictures (Wilson)"}.get(over, "")


def _at_epoch(epoch: int, value: Callable[[EpochEnd], float | None]) -> Callable[[Row], Any]:
    """Build the mean over seeds of a number of one epoch; None unless each seed has it."""

    def mean(row: Row) -> float | None:
        numbers = [value(each) for run in row.epochs for each in run if each.epoch == epoch]
        known = [number for number in numbers if number is not None]
        return fmean(known) if known and len(known) == len(row.runs) else None

    return mean


def _test_after(epoch: int) -> Callable[[Row], float | None]:
    """Build the test accuracy after an epoch: measured there, or at the end of such runs."""

    def mean(row: Row) -> float | None:
        if row.request.recipe.epochs == epoch and not row.not_pooled_reason:
            return _mean("test_accuracy")(row)
        return _at_epoch(epoch, lambda each: each.test_accuracy)(row)

    return mean


def _on_one_machine(value: Callable[[Row], float | None]) -> Callable[[Row], float | None]:
    """Return None for rows with runs on several machines, whose speeds have no common mean."""
    return lambda row: value(row) if len(row.machines) <= 1 else None


def _time_to(goal: float) -> Column:
    """Build the column of the time to a validation accuracy in per cent."""

    def value(row: Row) -> float | None:
        times = [seconds_to(epochs, goal / 100) for epochs in row.epochs]
        known = [seconds for seconds in times if seconds is not None]
        return fmean(known) if known and len(known) == len(row.runs) else None

    return Column(
        f"seconds_to_{goal:g}",
        f"Seconds to {goal:g} %",
        "seconds",
        f"Training time in seconds until the validation accuracy first reached {goal:g} %, mean "
        "over seeds; empty if a seed did not reach it",
        _on_one_machine(value),
    )


def seconds_to(epochs: Sequence[EpochEnd], goal: float) -> float | None:
    """Return the training seconds until an epoch ended with this validation accuracy, or None."""
    seconds = 0.0
    for epoch in epochs:
        seconds += epoch.seconds
        if epoch.val_accuracy is not None and epoch.val_accuracy >= goal:
            return seconds
    return None


def _row_state(row: Row) -> str:
    modes = f", {len(row.modes)} modes" if len(row.modes) > 1 else ""
    if progress := row.runs[0].progress_text:
        return f"{progress[0].upper()}{progress[1:]}"
    return row.not_pooled_reason or plural(len(row.runs), "seed") + modes


def _train_seconds(row: Row) -> float | None:
    return fmean(run.train_seconds for run in row.runs)


_SMOOTHED = "with label smoothing if the recipe uses it"

COLUMNS: dict[str, Column] = {
    each.name: each
    for each in (
        Column(
            "name",
            "Design",
            "text",
            "The name of the row, or its preset, with a number if there are several, and the state "
            "of a run without a result",
            lambda row: row.shown_name,
        ),
        Column(
            "dataset",
            "Dataset",
            "text",
            "The dataset that the design was trained on",
            lambda row: row.request.dataset,
        ),
        Column(
            *("trained_on", "Trained on", "text"),
            "Number of training pictures, and epochs of the recipe, or how many of them a run was "
            "trained for; only rows with equal pictures and recipe epochs are compared",
            trained_on,
        ),
        Column(
            "seeds",
            "Seeds",
            "count",
            "Runs in this row, each with another seed",
            lambda row: len(row.runs),
        ),
        Column(
            *("val_accuracy", "Validation", "percent"),
            "Accuracy on the validation split of the weights that a run ends with: after the last "
            "epoch, after the one that early stopping restored, or where the run was stopped; "
            "mean over seeds. The rows are sorted by it",
            _mean("last_val_accuracy"),
        ),
        *_ends("val", "Validation", "last_val_accuracy"),
        Column(
            *("val_sd", "Validation sd", "percent"),
            "Standard deviation of the validation accuracy over seeds",
            _sd("last_val_accuracy"),
        ),
        Column(
            *("test_accuracy", "Test", "percent"),
            "Accuracy on the test split, measured once at the end, mean over seeds",
            _mean("test_accuracy"),
        ),
        Column(
            *("test_sd", "Test sd", "percent"),
            "Standard deviation of the test accuracy over seeds",
            _sd("test_accuracy"),
        ),
        *_ends("test", "Test", "test_accuracy"),
        Column(
            *("interval", "Interval", "text"),
            "What the confidence intervals cover: other pictures (Wilson, for one run), or "
            "other seeds (Student's t, for several runs)",
            _interval_over,
        ),
        Column(
            *("first_loss", "First loss", "loss"),
            f"Mean training loss in the first epoch, {_SMOOTHED}",
            _mean("first_train_loss"),
        ),
        Column(
            *("last_loss", "Last loss", "loss"),
            f"Mean training loss in the last epoch, {_SMOOTHED}",
            _mean("last_train_loss"),
        ),
        Column(
            *("epoch1_loss", "Epoch 1 loss", "loss"),
            f"Mean training loss in epoch 1, {_SMOOTHED}",
            _at_epoch(1, lambda each: each.train_loss),
        ),
        Column(
            *("epoch5_loss", "Epoch 5 loss", "loss"),
            f"Mean training loss in epoch 5, {_SMOOTHED}",
            _at_epoch(5, lambda each: each.train_loss),
        ),
        Column(
            *("epoch5_test", "Epoch 5 test", "percent", "Test accuracy after epoch 5"),
            _test_after(5),
        ),
        Column(
            *("params", "Parameters", "count", "Trainable weights and biases"),
            lambda row: row.runs[0].plan_cost.get("params"),
        ),
        Column(
            *("macs", "MACs", "count", "Multiply-accumulate operations for one picture"),
            lambda row: row.runs[0].plan_cost.get("macs"),
        ),
        Column(
            *("seconds", "Seconds", "seconds"),
            "Training time, mean over seeds; empty if the runs used different machines",
            _on_one_machine(_train_seconds),
        ),
        Column(
            *("images_per_second", "Pictures/s", "rate"),
            "Training pictures per second, mean over seeds; empty if the runs used different "
            "machines",
            _on_one_machine(_mean("images_per_second")),
        ),
        Column(
            *("epochs", "Epochs", "count", "Finished epochs; the smallest number of the seeds"),
            lambda row: min(run.epoch for run in row.runs),
        ),
        Column(
            *("machine", "Machine", "text"),
            "Processor or GPU of the runs; times can be compared on the same machine only",
            lambda row: ", ".join(row.machines),
        ),
        Column(
            *("modes", "Modes", "text"),
            "Execution modes of the runs: threads, memory format, precision, compilation",
            lambda row: ", ".join(row.modes),
        ),
        Column(
            *("state", "Status", "text"),
            "Number of seeds in the row, and of execution modes if there are several, or the "
            "reason why a run has its own row",
            _row_state,
        ),
    )
}

# Named choices of columns.
COLUMN_PRESETS: dict[str, tuple[str, ...]] = {
    "results": (
        *("name", "dataset", "trained_on", "seeds", "val_accuracy", "val_low", "val_high"),
        *("test_accuracy", "test_sd", "test_low", "test_high", "interval", "params", "seconds"),
        "state",
    ),
    "course texts": ("name", "epoch1_loss", "epoch5_loss", "epoch5_test", "params"),
    "cost": (
        *("name", "dataset", "params", "macs", "seconds", "images_per_second", "seconds_to_95"),
        *("test_accuracy", "machine", "modes"),
    ),
    "learning": ("name", "dataset", "seeds", "epochs", "first_loss", "last_loss", "val_accuracy"),
}

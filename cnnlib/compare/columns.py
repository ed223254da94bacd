"""The columns of the results table: name, unit and the function that reads a row."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from cnnlib.compare.seeds import accuracy_interval, summary
from cnnlib.errors import RecipeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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


def _interval_over(row: Row) -> str:
    """Return the kind of the interval of a row."""
    over = accuracy_interval(row.numbers("test_accuracy"), row.test_pictures)[1]
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
        f"Training time until the validation split first had {goal:g} %; mean over seeds, where "
        "each came there",
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
    return row.not_pooled_reason or "pooled"


def _train_seconds(row: Row) -> float | None:
    return fmean(run.train_seconds for run in row.runs)


COLUMNS: dict[str, Column] = {
    each.name: each
    for each in (
        Column("name", "Design", "text", "Name or preset", lambda row: row.name),
        Column("dataset", "Dataset", "text", "What it learned", lambda row: row.request.dataset),
        Column("seeds", "Seeds", "count", "Runs pooled in this row", lambda row: len(row.runs)),
        Column(
            *("val_accuracy", "Validation", "percent"),
            "Accuracy on the validation split after the last epoch, mean over seeds; decides the "
            "order",
            _mean("last_val_accuracy"),
        ),
        Column(
            *("val_sd", "Validation sd", "percent", "Standard deviation over seeds"),
            _sd("last_val_accuracy"),
        ),
        Column(
            *("test_accuracy", "Test", "percent"),
            "Accuracy on the test split, measured once at the end, mean over seeds",
            _mean("test_accuracy"),
        ),
        Column(
            *("test_sd", "Test sd", "percent", "Standard deviation over seeds"),
            _sd("test_accuracy"),
        ),
        Column(
            *("test_low", "Test from", "percent", "Low end of the 95 % interval"),
            _end("test_accuracy", "test_pictures", "low"),
        ),
        Column(
            *("test_high", "Test to", "percent", "High end of the 95 % interval"),
            _end("test_accuracy", "test_pictures", "high"),
        ),
        Column(
            *("interval", "Interval", "text"),
            "What the interval is over: one run, test pictures; several, seeds",
            _interval_over,
        ),
        Column(
            *("first_loss", "First loss", "loss", "Training loss, mean of the first epoch"),
            _mean("first_train_loss"),
        ),
        Column(
            *("last_loss", "Last loss", "loss", "Training loss, mean of the last epoch"),
            _mean("last_train_loss"),
        ),
        Column(
            *("epoch1_loss", "Epoch 1 loss", "loss", "Training loss, mean of epoch 1"),
            _at_epoch(1, lambda each: each.train_loss),
        ),
        Column(
            *("epoch5_loss", "Epoch 5 loss", "loss", "Training loss, mean of epoch 5"),
            _at_epoch(5, lambda each: each.train_loss),
        ),
        Column(
            *("epoch5_test", "Epoch 5 test", "percent", "Test accuracy after epoch 5"),
            _test_after(5),
        ),
        Column(
            *("params", "Parameters", "count", "Trainable parameters"),
            lambda row: row.runs[0].plan_cost.get("params"),
        ),
        Column(
            *("macs", "MACs", "count", "Multiply-accumulates for one image"),
            lambda row: row.runs[0].plan_cost.get("macs"),
        ),
        Column(
            *("seconds", "Seconds", "seconds"),
            "Training time, mean over seeds; empty where they ran on different machines",
            _on_one_machine(_train_seconds),
        ),
        Column(
            *("images_per_second", "Images/s", "rate"),
            "Training images per second, mean over seeds on one machine",
            _on_one_machine(_mean("images_per_second")),
        ),
        Column(
            *("epochs", "Epochs", "count", "Epochs finished, the fewest of the seeds"),
            lambda row: min(run.epoch for run in row.runs),
        ),
        Column(
            *("machine", "Machine", "text", "What it ran on; speeds are compared on one only"),
            lambda row: ", ".join(row.machines),
        ),
        Column(
            *("state", "Row", "text", "Pooled, or why this run stands alone"),
            _row_state,
        ),
    )
}

# Named choices of columns.
COLUMN_PRESETS: dict[str, tuple[str, ...]] = {
    "results": (
        *("name", "dataset", "seeds", "val_accuracy", "test_accuracy", "test_sd", "test_low"),
        *("test_high", "interval", "params", "seconds", "state"),
    ),
    "course texts": ("name", "epoch1_loss", "epoch5_loss", "epoch5_test", "params"),
    "cost": (
        *("name", "dataset", "params", "macs", "seconds", "images_per_second", "seconds_to_95"),
        *("test_accuracy", "machine"),
    ),
    "learning": ("name", "dataset", "seeds", "epochs", "first_loss", "last_loss", "val_accuracy"),
}

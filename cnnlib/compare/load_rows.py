"""Load the rows of the results table from the store, ordered by validation accuracy."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean, median
from typing import TYPE_CHECKING

from cnnlib.compare.rows import Row, pool_runs
from cnnlib.compare.seeds import best_of, summary
from cnnlib.runs.summaries import epochs_of_runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cnnlib.records.events import EpochEnd
    from cnnlib.records.run import Run
    from cnnlib.runs.store import RunStore


def load_rows(store: RunStore, runs: Sequence[Run] | None = None) -> list[Row]:
    """Load all rows, the best mean validation accuracy first; rows without one last, newest first.

    Args:
        runs: The runs to show; None: all runs of the store.
    """
    shown = store.runs() if runs is None else runs
    rows = pool_runs(shown, epochs_of_runs(store.database, [run.id for run in shown]))
    return sorted(_with_pictures(store, rows), key=_sort_key, reverse=True)


def best_of_sentence(rows: Sequence[Row]) -> str:
    """Write a warning about choosing the best of several rows of a dataset; "" for one row.

    The spread is the median over rows, so that a row in which some seeds never learned has little
    effect.
    """
    measured = [r for r in rows if not r.not_pooled_reason and r.numbers("last_val_accuracy")]
    rivals = [row for row in measured if _pictures_of(row) == _pictures_of(measured[0])]
    if len(rivals) < 2:
        return ""
    scores = [row.numbers("last_val_accuracy") for row in rivals]
    dataset = rivals[0].request.dataset
    start = (
        f"The first row of {dataset} is the best of {len(scores)} comparable designs by "
        "validation accuracy."
    )
    spreads = [found.sd for values in scores if (found := summary(values)) and found.sd]
    if not spreads:
        return f"{start} Part of its lead is luck. {_ADVICE}"
    usual = median(spreads) / fmean(len(values) for values in scores) ** 0.5
    lead = 100 * best_of(len(scores), usual)
    return (
        f"{start} Among {len(scores)} equally good designs, the best would be about {lead:.2f} "
        f"points above their mean by chance (from the spread over seeds). {_ADVICE}"
    )


_ADVICE = "Train it with fresh seeds for a fair estimate."


def _pictures_of(row: Row) -> tuple[str, str]:
    """Return name and fingerprint of a row's dataset: only rows that share both are compared."""
    return row.request.dataset, row.runs[0].fingerprint


def mean_validation(row: Row) -> float | None:
    """Return the mean validation accuracy over the seeds; None where none was measured."""
    values = row.numbers("last_val_accuracy")
    return fmean(values) if values else None


def _sort_key(row: Row) -> tuple[float, str]:
    """Return the sort key of a row: score, then newest run."""
    score = mean_validation(row)
    return (-1.0 if score is None else score, max(run.id for run in row.runs))


def _with_pictures(store: RunStore, rows: Sequence[Row]) -> list[Row]:
    """Add the number of pictures in each split, read once per split."""
    test: dict[str, int] = {}
    val: dict[tuple[str, float, int], int] = {}
    done = []
    for row in rows:
        run = row.runs[0]
        split = (run.fingerprint, run.request.validation, run.request.split_seed)
        if run.fingerprint not in test and run.summary.get("test_accuracy") is not None:
            result = store.result(run.id)
            test[run.fingerprint] = result.count if result else 0
        if split not in val and run.summary.get("last_val_accuracy") is not None:
            val[split] = _count_pictures(store.epochs(run.id, after=max(0, run.epoch - 1)))
        done.append(
            replace(row, test_pictures=test.get(run.fingerprint, 0), val_pictures=val.get(split, 0))
        )
    return done


def _count_pictures(epochs: Sequence[EpochEnd]) -> int:
    """Count the pictures of the validation split, from the confusion counts of an epoch."""
    counts = epochs[-1].val_confusion if epochs else None
    return sum(map(sum, counts)) if counts else 0

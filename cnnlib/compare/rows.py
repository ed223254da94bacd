"""Rows of the results table: runs that differ only by their seed are pooled into one."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from statistics import fmean
from typing import TYPE_CHECKING

from cnnlib.compare.seeds import best_of, pooled_sd
from cnnlib.design.spec import CNNSpec
from cnnlib.records.dataset import dataset_title
from cnnlib.runs.summaries import epochs_of_runs
from cnnlib.units import plural

if TYPE_CHECKING:
    from cnnlib.records.events import EpochEnd
    from cnnlib.records.run import Run, RunRequest
    from cnnlib.runs.store import RunStore


@dataclass(frozen=True)
class Row:
    """A design with its recipe, and the runs that measured it.

    Args:
        key: Id of the row in addresses and annotations: a hash of the settings that its runs share,
            or the id of a run that is not pooled.
        runs: Ordered by seed; at least one.
        not_pooled_reason: The reason why this run is not pooled with others; "" where it may be.
        epochs: Epochs of each run, in the order of ``runs``.
        test_pictures, val_pictures: Number of pictures in each split; 0 where accuracy was not
            measured.
        given_name: Name from the row's annotation; "" for none.
        search_text: Its texts in which a search looks for words, folded to small letters.
    """

    key: str
    runs: tuple[Run, ...]
    not_pooled_reason: str = ""
    epochs: tuple[tuple[EpochEnd, ...], ...] = field(default=(), repr=False)
    test_pictures: int = 0
    val_pictures: int = 0
    given_name: str = ""
    search_text: str = field(default="", repr=False)

    @property
    def request(self) -> RunRequest:
        """The request of its runs; the seed is the first run's."""
        return self.runs[0].request

    @property
    def name(self) -> str:
        """The given name, or that of its first run."""
        return self.given_name or _name_of_run(self.runs[0])

    @property
    def has_result(self) -> bool:
        """Whether its runs finished; a run that was broken off, or is live, is no result."""
        return self.runs[0].state == "finished"

    @property
    def shown_name(self) -> str:
        """The name, with the state of a run without a result.

        ``cnn3, lost after epoch 1 of 20``; ``cnn3, stopped at step 48 of 164``.
        """
        return ", ".join(filter(None, (self.name, self.runs[0].progress_text)))

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of its runs."""
        return tuple(run.request.seed for run in self.runs)

    @property
    def machines(self) -> tuple[str, ...]:
        """Processors or GPUs that its runs were trained on."""
        return tuple(sorted({run.machine.processor for run in self.runs if run.machine}))

    @property
    def modes(self) -> tuple[str, ...]:
        """Execution modes of its runs, which agree in precision and compilation."""
        return tuple(sorted({run.mode for run in self.runs if run.mode}))

    @property
    def earlier_keys(self) -> tuple[str, ...]:
        """Keys that its runs had in versions whose rows held a single execution mode."""
        if self.not_pooled_reason:
            return ()
        shared = _without_seed(self.request), self.runs[0].fingerprint
        return tuple(_hash_key(*shared, mode) for mode in self.modes)

    def numbers(self, name: str) -> list[float]:
        """Return one number of the runs' summaries; runs without it are left out."""
        values = (run.summary.get(name) for run in self.runs)
        return [value for value in values if value is not None]


def _name_of_run(run: Run) -> str:
    """Shorten the run's title: "lenet5 (2)", "lenet5, fork of step 400"."""
    request, repeat = run.request, run.summary.get("repeat", 1)
    name = request.name or request.preset or "own design"
    if request.origin is not None and not request.origin.weights_only:
        name += f", fork of step {request.origin.step:,}"
    return name if repeat == 1 else f"{name} ({repeat})"


def pool_runs(
    runs: Iterable[Run], epochs: Mapping[str, Sequence[EpochEnd]] | None = None
) -> list[Row]:
    """Group runs into rows; a run that may not be pooled gets its own, with the reason.

    Pooled are finished runs from fresh weights, without interventions, with the same spec,
    recipe, splits, dataset content, precision and compilation; each seed once, the oldest run of
    it. Threads and memory format may differ: they change bits, and not what is expected.
    """
    groups: dict[str, dict[int, Run]] = defaultdict(dict)
    alone: list[tuple[Run, str]] = []
    for run in sorted(runs, key=lambda run: run.id):
        if reason := reason_not_pooled(run):
            alone.append((run, reason))
        elif run.request.seed in groups[(key := pool_key(run))]:
            alone.append((run, f"Repeat of seed {run.request.seed}"))
        else:
            groups[key][run.request.seed] = run
    epochs_by_run = epochs or {}
    rows = [
        Row(key, tuple(group[seed] for seed in sorted(group)))
        for key, group in groups.items()
        if group
    ]
    rows += [Row(run.id, (run,), reason) for run, reason in alone]
    return [_with_epochs(row, epochs_by_run) for row in rows]


def reason_not_pooled(run: Run) -> str:
    """Return the reason why a run is not pooled with others; "" where it is."""
    if run.state != "finished":
        return "Waiting" if run.state == "queued" else run.state.capitalize()
    if run.intervened:
        return "Changed by hand"
    if run.request.origin is not None:
        return f"Fork of step {run.request.origin.step:,}"
    return ""


def pool_key(run: Run) -> str:
    """Hash the settings that pooled runs share."""
    return _hash_key(_without_seed(run.request), run.fingerprint, run.arithmetic)


# Fields of a spec that version 0.1.0 did not have: at their defaults they are no part of a row's
# key, so that the names and notes of rows stay.
_LATER_FIELDS = ("shortcut", "stride_at", "preactivation")
_DEFAULT = CNNSpec()


@lru_cache(maxsize=4096)
def _without_seed(request: RunRequest) -> str:
    """Return the settings that pooled requests share, as JSON; requests are immutable."""
    spec = request.spec.to_dict()
    for name in _LATER_FIELDS:
        if spec[name] == getattr(_DEFAULT, name):
            del spec[name]
    shared = {
        "spec": spec,
        "recipe": request.recipe.to_dict(),
        "dataset": request.dataset,
        "split_seed": request.split_seed,
        "validation": request.validation,
        "train_limit": request.train_limit,
    }
    return json.dumps(shared, sort_keys=True)


def _hash_key(*parts: str) -> str:
    """Hash texts to 12 hexadecimal digits."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _with_epochs(row: Row, epochs: Mapping[str, Sequence[EpochEnd]]) -> Row:
    """Return a row with the epochs of its runs."""
    row_epochs = tuple(tuple(epochs.get(run.id, ())) for run in row.runs)
    return Row(row.key, row.runs, row.not_pooled_reason, row_epochs)


def load_rows(store: RunStore, runs: Sequence[Run] | None = None) -> list[Row]:
    """Load all rows, the best mean validation accuracy first.

    Runs without a result, which were broken off or are live, come last; of them and of rows without
    a validation split the newest is first.

    Args:
        runs: The runs to show; None: all runs of the store.
    """
    shown = store.runs() if runs is None else runs
    rows = pool_runs(shown, epochs_of_runs(store.database, [run.id for run in shown]))
    ordered = sorted(_with_pictures(store, rows), key=_sort_key, reverse=True)
    return _with_repeats_below(ordered)


def _with_repeats_below(rows: Sequence[Row]) -> list[Row]:
    """Move each repeat of a seed below the row with that seed."""
    keys = {row.key for row in rows if not row.not_pooled_reason}
    repeats: dict[str, list[Row]] = defaultdict(list)
    others: list[Row] = []
    for row in rows:
        is_repeat = row.not_pooled_reason.startswith("Repeat") and pool_key(row.runs[0]) in keys
        (repeats[pool_key(row.runs[0])] if is_repeat else others).append(row)
    return [each for row in others for each in (row, *repeats.get(row.key, ()))]


def best_of_sentence(rows: Sequence[Row]) -> str:
    """Write a warning about choosing the best of several comparable rows; "" for one row.

    The height of the best row over the average is held against the height that chance alone gives
    to the best of as many equally good designs.
    """
    measured = [row for row in rows if not row.not_pooled_reason and _score(row) is not None]
    best = max(measured, key=lambda row: _score(row) or 0.0, default=None)
    if best is None:
        return ""
    rivals = [row for row in measured if _training_of(row) == _training_of(best)]
    if len(rivals) < 2:
        return ""
    count, results = len(rivals), [row.numbers("last_val_accuracy") for row in rivals]
    start = (
        f"{' '.join(best.name.split())} is the best of {count} comparable designs on "
        f"{dataset_title(best.request.dataset)} ({trained_on(best)}) by validation accuracy."
    )
    sd = pooled_sd(results)
    if not sd:
        return f"{start} Part of this is luck. {_ADVICE}"
    scores = [fmean(values) for values in results]
    height = 100 * (max(scores) - fmean(scores))
    luck = 100 * best_of([sd / len(values) ** 0.5 for values in results])
    return (
        f"{start} It is {height:.2f} points above their average. Luck alone gives about "
        f"{luck:.2f} points: so far above the average is the best of {count} designs that are "
        f"equally good, with seeds that differ as much as these. {_ADVICE}"
    )


_ADVICE = "Train it with fresh seeds for a fair estimate."


def trained_on(row: Row) -> str:
    """Write the pictures and the epochs of a row's training: ``1,000 pictures, 5 epochs``.

    Of runs that ended early, the epochs that they were trained for: ``12 to 17 of 30 epochs``.
    """
    request = row.request
    limit = request.train_limit
    pictures = "all pictures" if limit is None else plural(limit, "picture")
    shortest, longest = (each(row.runs, key=lambda run: run.epoch) for each in (min, max))
    is_range = shortest.epoch < longest.epoch and not request.recipe.max_batches
    epochs = f"{shortest.epoch} to {longest.epoch} of {plural(request.recipe.epochs, 'epoch')}"
    parts = [pictures, epochs if is_range else longest.epochs_text]
    if request.recipe.max_batches:
        parts[-1] += f" of at most {plural(request.recipe.max_batches, 'step')}"
    if request.validation != type(request).validation:
        parts.append(f"validation {request.validation:g}")
    return ", ".join(parts)


def _training_of(row: Row) -> tuple[object, ...]:
    """Return what comparable rows share: the same pictures, as many of them, as many epochs."""
    request, recipe = row.request, row.request.recipe
    data = request.dataset, row.runs[0].fingerprint, request.split_seed, request.validation
    return *data, request.train_limit, recipe.epochs, recipe.max_batches


def _score(row: Row) -> float | None:
    """Return the mean validation accuracy over the seeds; None where none was measured."""
    values = row.numbers("last_val_accuracy")
    return fmean(values) if values else None


def _sort_key(row: Row) -> tuple[float, str]:
    """Return the sort key of a row: score, then newest run."""
    score = _score(row) if row.has_result else None
    return (-1.0 if score is None else score, max(run.id for run in row.runs))


def _with_pictures(store: RunStore, rows: Sequence[Row]) -> list[Row]:
    """Add the number of pictures in each split, read once per split."""
    test: dict[str, int] = {}
    val: dict[tuple[str, float, int], int] = {}
    for run in (row.runs[0] for row in rows):
        if run.fingerprint not in test and run.summary.get("test_accuracy") is not None:
            result = store.result(run.id)
            test[run.fingerprint] = result.count if result else 0
        if not val.get(_split(run)) and run.summary.get("last_val_accuracy") is not None:
            val[_split(run)] = _count_pictures(store.epochs(run.id, after=max(0, run.epoch - 1)))
    return [
        replace(
            row,
            test_pictures=test.get(row.runs[0].fingerprint, 0),
            val_pictures=val.get(_split(row.runs[0]), 0),
        )
        for row in rows
    ]


def _split(run: Run) -> tuple[str, float, int]:
    """Return what runs with the same validation split share."""
    return run.fingerprint, run.request.validation, run.request.split_seed


def _count_pictures(epochs: Sequence[EpochEnd]) -> int:
    """Count the pictures of the validation split, from the confusion counts of an epoch."""
    counts = epochs[-1].val_confusion if epochs else None
    return sum(map(sum, counts)) if counts else 0

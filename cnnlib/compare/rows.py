"""Rows of the results table: runs that differ only by their seed are pooled into one."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cnnlib.records.events import EpochEnd
    from cnnlib.records.run import Run, RunRequest


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
    """

    key: str
    runs: tuple[Run, ...]
    not_pooled_reason: str = ""
    epochs: tuple[tuple[EpochEnd, ...], ...] = field(default=(), repr=False)
    test_pictures: int = 0
    val_pictures: int = 0
    given_name: str = ""

    @property
    def request(self) -> RunRequest:
        """The request of its runs; the seed is the first run's."""
        return self.runs[0].request

    @property
    def name(self) -> str:
        """The given name, or that of its first run."""
        return self.given_name or _name_of_run(self.runs[0])

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of its runs."""
        return tuple(run.request.seed for run in self.runs)

    @property
    def machines(self) -> tuple[str, ...]:
        """Processors or GPUs that its runs were trained on."""
        return tuple(sorted({run.machine.processor for run in self.runs if run.machine}))

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
    recipe, splits, dataset content and execution mode; each seed once, the oldest run of it.
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
    return _hash_key(_without_seed(run.request), run.fingerprint, run.chosen.get("mode", ""))


@lru_cache(maxsize=4096)
def _without_seed(request: RunRequest) -> str:
    """Return the settings that pooled requests share, as JSON; requests are immutable."""
    shared = {
        "spec": request.spec.to_dict(),
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

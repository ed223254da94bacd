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
        key: Names the row in addresses and annotations: a hash of all that its runs agree in, or
            the id of a run that stands alone.
        runs: By seed; at least one.
        alone_because: Why this run is not pooled with others; "" where it may be.
        epochs: Of each run, in the order of ``runs``.
        test_pictures, val_pictures: In the split that accuracies were measured on; 0 where nothing
            was measured.
        given_name: The name that a person gave to this row; "" is none.
    """

    key: str
    runs: tuple[Run, ...]
    alone_because: str = ""
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
        """The given name, or that of the preset."""
        return self.given_name or self.request.name or self.request.preset or "own design"

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of its runs."""
        return tuple(run.request.seed for run in self.runs)

    @property
    def machines(self) -> tuple[str, ...]:
        """Processors or GPUs that its runs were trained on."""
        return tuple(sorted({run.machine.processor for run in self.runs if run.machine}))

    def numbers(self, name: str) -> list[float]:
        """One number of the runs' summaries; runs without it are left out."""
        found = (run.summary.get(name) for run in self.runs)
        return [value for value in found if value is not None]


def pooled(
    runs: Iterable[Run], epochs: Mapping[str, Sequence[EpochEnd]] | None = None
) -> list[Row]:
    """Group runs into rows; a run that may not be pooled gets its own, with the reason.

    Pooled are finished runs from fresh weights, without interventions, with the same spec,
    recipe, splits, dataset content and execution mode; each seed once, the oldest run of it.
    """
    groups: dict[str, dict[int, Run]] = defaultdict(dict)
    alone: list[tuple[Run, str]] = []
    for run in sorted(runs, key=lambda run: run.id):
        if reason := why_alone(run):
            alone.append((run, reason))
        elif run.request.seed in groups[(key := pool_key(run))]:
            alone.append((run, f"it repeats seed {run.request.seed}"))
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


def why_alone(run: Run) -> str:
    """The reason why a run is not pooled with others; "" where it is."""
    if run.state != "finished":
        return {"queued": "it waits", "starting": "it is starting", "running": "it goes on"}.get(
            run.state, f"it is {run.state}"
        )
    if run.intervened:
        return "it was steered"
    if run.request.origin is not None:
        return f"it is forked from step {run.request.origin.step:,}"
    return ""


def pool_key(run: Run) -> str:
    """A hash of the settings that pooled runs share."""
    return _key(_without_seed(run.request), run.fingerprint, run.chosen.get("mode", ""))


@lru_cache(maxsize=4096)
def _without_seed(request: RunRequest) -> str:
    """The settings that pooled requests share, as text; cached, because requests are immutable."""
    agreed = {
        "spec": request.spec.to_dict(),
        "recipe": request.recipe.to_dict(),
        "dataset": request.dataset,
        "split_seed": request.split_seed,
        "validation": request.validation,
        "train_limit": request.train_limit,
    }
    return json.dumps(agreed, sort_keys=True)


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _with_epochs(row: Row, epochs: Mapping[str, Sequence[EpochEnd]]) -> Row:
    row_epochs = tuple(tuple(epochs.get(run.id, ())) for run in row.runs)
    return Row(row.key, row.runs, row.alone_because, row_epochs)

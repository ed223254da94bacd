"""Submission of runs, the same for the pages and the command line."""

from __future__ import annotations

import secrets
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from cnnlib.data.labelled_drawings import (
    FINE_TUNE_RECIPE,
    fine_tune_request,
    make_fine_tune_dataset,
)
from cnnlib.data.uploads import remove_dataset
from cnnlib.experiments.study import settled_mode
from cnnlib.records.run import check_augmentation
from cnnlib.runs.access.dataset_owners import new_dataset
from cnnlib.train.execution.forecast import forecast_for_run

if TYPE_CHECKING:
    from cnnlib.data.prepared import Prepared
    from cnnlib.records.recipe import Recipe
    from cnnlib.records.run import Run, RunRequest
    from cnnlib.runs import RunStore


def submit_runs(
    store: RunStore, request: RunRequest, seeds: int = 1, *, now: bool = False
) -> list[str]:
    """Queue one run per seed, beginning with the request's own seed; return their ids.

    Args:
        now: Put them before all waiting runs.

    Raises:
        CnnlibError: They are refused.
    """
    check_augmentation(request)
    request = with_settled_mode(request, seeds)
    if seeds > 1:
        request = replace(request, group=secrets.token_hex(4))
    seeded = [replace(request, seed=request.seed + more) for more in range(seeds)]
    forecast = forecast_for_run(request, store.folders, store.workers.free_threads())
    return store.submit_all(seeded, now=now, forecast=forecast)


def with_settled_mode(request: RunRequest, seeds: int) -> RunRequest:
    """Return a request in the execution mode that runs with several seeds share."""
    return replace(request, mode=settled_mode([request] * seeds)) if seeds > 1 else request


def submit_fine_tuning(
    store: RunStore,
    run: Run,
    step: int,
    original: Prepared,
    recipe: Recipe = FINE_TUNE_RECIPE,
    *,
    now: bool = False,
) -> list[str]:
    """Make a dataset of the saved drawings, and queue a run that fine-tunes a network on it.

    Args:
        step: Of the weights that it starts from.
        original: The dataset of the run.

    Returns:
        The id of the new run, in a list.

    Raises:
        CnnlibError: No drawing is saved, or the run is refused; then the dataset is removed.
    """
    alone = store.database.exclusive("names of fine-tuning datasets")
    dataset = make_fine_tune_dataset(original, store.folders, owner=store.owner, reserving=alone)
    with new_dataset(store, dataset, partial(remove_dataset, folders=store.folders)):
        return submit_runs(store, fine_tune_request(run, step, dataset, recipe), now=now)

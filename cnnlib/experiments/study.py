"""Studies: duels, grids and searches, which queue several runs and depend on their results."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cnnlib.design.channels_last import breaks_channels_last
from cnnlib.design.plan import plan
from cnnlib.errors import RecipeError
from cnnlib.records.run import check_augmentation
from cnnlib.runs import studies
from cnnlib.runs.capacity import default_runs, usable_cores, visible_gpus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from cnnlib.records.recipe import Recipe
    from cnnlib.records.run import Run, RunRequest
    from cnnlib.runs.store import RunStore
    from cnnlib.runs.studies import Study, StudyStep

# Kind -> the module with ``next_step(study) -> StudyStep`` for such studies.
KINDS = {
    "duel": "cnnlib.experiments.duel",
    "grid": "cnnlib.experiments.grid",
    "search": "cnnlib.experiments.search",
}


def submit_study(
    store: RunStore,
    kind: str,
    body: Mapping[str, Any],
    first: Sequence[RunRequest],
    planned: Collection[RunRequest] = (),
) -> str:
    """Create a study, queue its first runs, and return its id.

    Args:
        first: Runs that may start at once, by which the execution mode of all is settled.
        planned: All its runs, where the first steps queue only a part of them.

    Raises:
        RecipeError: An augmentation is too large for the pictures.
        LimitError: The runs exceed the number or the size that one person may queue.
    """
    for request in first:
        check_augmentation(request)
    mode = settled_mode(first)
    return studies.submit(store, kind, body, _next_step_of(kind), planned, mode)


def settled_mode(requests: Sequence[RunRequest]) -> str:
    """Return the execution mode for runs that belong together, before the first of them starts.

    They share the cores; the memory format is channels last, the faster one on processors, where
    no design forbids it.

    Returns:
        The mode that they ask for; "auto" where a run has to choose it by trial: on a GPU, with
        the precision "fastest", or to try compiling.
    """
    request = requests[0]
    may_use_gpu = request.device != "cpu" and (visible_gpus() or sys.platform == "darwin")
    has_to_measure = may_use_gpu or request.compile or request.precision == "fastest"
    if request.mode != "auto" or has_to_measure:
        return request.mode
    threads = max(1, usable_cores() // min(len(requests), default_runs()))
    designs = {each.spec: each for each in requests}  # each is planned once
    layouts = {_memory_format(each) for each in designs.values()}
    layout = "nhwc" if layouts == {"nhwc"} else "nchw"
    return f"t{threads}-{layout}-{'fp32' if request.precision == 'auto' else request.precision}"


def safe_mode(mode: str, request: RunRequest) -> str:
    """Return a mode, in the other memory format where a design forbids channels last."""
    return mode if _memory_format(request) == "nhwc" else mode.replace("-nhwc-", "-nchw-")


def _memory_format(request: RunRequest) -> str:
    """Return the faster memory format of a design that is safe on a processor."""
    is_safe = bool(request.spec.channels) and not breaks_channels_last(plan(request.spec).walk())
    return "nhwc" if is_safe else "nchw"


def advance_studies(store: RunStore) -> None:
    """Run the next step of every live study; fast where there is none."""
    for study_id in studies.live_ids(store):
        studies.advance(store, study_id, _next_step)


def advance_after_epoch(store: RunStore, run: Run) -> None:
    """Run the next step of the study of a run after an epoch, where that matters.

    A search prunes; other studies wait for the mode that their first run has chosen.
    """
    kind = studies.live_kind(store, run.request.group)
    if kind == "search" or (kind and run.request.mode == "auto"):
        studies.advance(store, run.request.group, _next_step)


def advance_after_end(store: RunStore, run: Run) -> None:
    """Run the next step of the study of a run that has ended, and of studies without a live run.

    A grid has nothing to decide while it has live runs.
    """
    due = studies.idle_ids(store)
    if studies.live_kind(store, run.request.group) in ("duel", "search"):
        due.append(run.request.group)
    for study_id in dict.fromkeys(due):
        studies.advance(store, study_id, _next_step)


def check_trains(recipes: Iterable[Recipe], what: str) -> None:
    """Check that a study trains: that not all of its recipes end before the first step.

    Args:
        what: A value of `studies.KIND_LABELS`.

    Raises:
        RecipeError: They all do.
    """
    if all(recipe.epochs == 0 or recipe.max_batches == 0 for recipe in recipes):
        raise RecipeError(
            f"The runs of the {what} would end before their first step, so it would compare "
            "networks that are not trained. They must train for at least one step. Choose 1 or "
            "more epochs."
        )


def shared_mode(study: Study, request: RunRequest) -> str | None:
    """Return the execution mode that all runs of a study share: settled, or the first run's.

    Args:
        request: Of its first run, which is queued alone where the mode is not settled.

    Returns:
        None until the first run has chosen its mode, which it does before it trains.
    """
    settled = str(study.progress.get("mode", request.mode))
    if settled != "auto":
        return settled
    oldest = sorted(study.runs.values(), key=lambda run: run.id)
    return next((run.mode for run in oldest if run.mode), None)


def resume_study(store: RunStore, study_id: str) -> None:
    """Resume the broken-off runs of a study, and queue what else it misses.

    Raises:
        StoreError: There is no such study.
        LimitError: Its runs exceed the limits of one person.
    """
    studies.resume(store, study_id)
    advance_studies(store)


def _next_step(study: Study) -> StudyStep:
    return _next_step_of(study.kind)(study)


def _next_step_of(kind: str) -> Callable[[Study], StudyStep]:
    """Import the `next_step` function of a kind of study."""
    next_step: Callable[[Study], StudyStep] = import_module(KINDS[kind]).next_step
    return next_step

"""Studies: duels, grids and searches, which queue several runs and depend on their results."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cnnlib.runs import studies

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from cnnlib.records.run import RunRequest
    from cnnlib.runs.store import RunStore
    from cnnlib.runs.studies import Study, StudyStep

# Kind -> the module with ``next_step(study) -> StudyStep`` for such studies.
KINDS = {
    "duel": "cnnlib.experiments.duel",
    "grid": "cnnlib.experiments.grid",
    "search": "cnnlib.experiments.search",
}


def submit_study(
    store: RunStore, kind: str, body: Mapping[str, Any], planned: Collection[RunRequest] = ()
) -> str:
    """Create a study, queue its first runs, and return its id.

    Args:
        planned: All its runs, where the first steps queue only a part of them.

    Raises:
        LimitError: The runs exceed the number or the size that one person may queue.
    """
    return studies.submit(store, kind, body, _next_step_of(kind), planned)


def advance_studies(store: RunStore) -> None:
    """Run the next step of every live study; fast where there is none."""
    for study_id in studies.live_ids(store):
        studies.advance(store, study_id, _next_step)


def shared_mode(study: Study, request: RunRequest) -> str | None:
    """Return the execution mode that all runs of a study share: asked for, or the first run's.

    Args:
        request: Of its first run, which is queued alone where the mode is "auto".

    Returns:
        None until the first run has chosen its mode, which it does before it trains.
    """
    if request.mode != "auto":
        return request.mode
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

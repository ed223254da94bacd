"""Studies: duels, grids and searches, which queue several runs and depend on their results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cnnlib.runs import studies

if TYPE_CHECKING:
    from cnnlib.runs.store import RunStore
    from cnnlib.runs.studies import Study, StudyStep

# Kind -> the module with ``next_step(study) -> StudyStep`` for such studies.
KINDS = {
    "duel": "cnnlib.experiments.duel",
    "grid": "cnnlib.experiments.grid",
    "search": "cnnlib.experiments.search",
}


def submit_study(store: RunStore, kind: str, body: Mapping[str, Any]) -> str:
    """Create a study, queue its first runs, and return its id.

    Raises:
        LimitError: The first runs exceed the number or the size that one person may queue.
    """
    return studies.submit(store, kind, body, _next_step_of(kind))


def advance_studies(store: RunStore) -> None:
    """Run the next step of every live study; fast where there is none."""
    for study_id in studies.live_ids(store):
        studies.advance(store, study_id, _next_step)


def _next_step(study: Study) -> StudyStep:
    return _next_step_of(study.kind)(study)


def _next_step_of(kind: str) -> Callable[[Study], StudyStep]:
    """Import the `next_step` function of a kind of study."""
    next_step: Callable[[Study], StudyStep] = import_module(KINDS[kind]).next_step
    return next_step

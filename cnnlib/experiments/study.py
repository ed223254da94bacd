"""Studies: duels, grids and searches, which queue several runs and decide from their results."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cnnlib.runs import studies

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cnnlib.runs.store import RunStore
    from cnnlib.runs.studies import Study, StudyStep

# Kind -> the module whose ``next_step(study) -> StudyStep`` decides what such a study does.
KINDS = {
    "duel": "cnnlib.experiments.duel",
    "grid": "cnnlib.experiments.grid",
    "search": "cnnlib.experiments.search",
}


def submit_study(store: RunStore, kind: str, body: Mapping[str, Any]) -> str:
    """Create a study, queue its first runs, and return its id.

    Raises:
        LimitError: Its first runs are more, or larger, than one person may queue.
    """
    return studies.submit(store, kind, body, _rule(kind))


def find_study(store: RunStore, study_id: str) -> Study:
    """One study with its runs in their present state.

    Raises:
        StoreError: There is none with this id.
    """
    return studies.find(store, study_id)


def find_studies(store: RunStore, kinds: Sequence[str]) -> list[Study]:
    """Studies of some kinds, the newest first, without their runs."""
    return studies.find_all(store, kinds)


def stop_study(store: RunStore, study_id: str) -> None:
    """End a study: it queues no more runs, and those that wait or run are stopped."""
    studies.stop(store, study_id)


def advance_studies(store: RunStore) -> None:
    """Let every live study do its next step; cheap where there is none."""
    for study_id in studies.live_ids(store):
        studies.advance(store, study_id, _next_step)


def _next_step(study: Study) -> StudyStep:
    return _rule(study.kind)(study)


def _rule(kind: str) -> Callable[[Study], StudyStep]:
    """The function that decides for a kind of study; imported when it is needed."""
    rule: Callable[[Study], StudyStep] = import_module(KINDS[kind]).next_step
    return rule

"""Everything that is told about one run in words: what is wrong, what was chosen and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnlib.diagnosis.engine_notes import engine_notes
from cnnlib.diagnosis.rules import diagnose

if TYPE_CHECKING:
    from cnnlib.records.diagnosis import Diagnosis
    from cnnlib.records.run import Run
    from cnnlib.runs import RunStore


def diagnoses_of(store: RunStore, run: Run) -> list[Diagnosis]:
    """What is wrong with a run as it stands in the store; the price does not grow with it."""
    told = store.epochs(run.id, confusions=False)
    return diagnose(run, store.sampled_steps(run.id), told)


def run_report(store: RunStore, run_id: str) -> dict[str, Any]:
    """Troubles and explanations as plain JSON values.

    Raises:
        StoreError: There is no such run.
    """
    run = store.run(run_id)
    return {
        "run_id": run.id,
        "troubles": [trouble.to_dict() for trouble in diagnoses_of(store, run)],
        "explained": engine_notes(run, store.epochs(run_id, confusions=False)),
    }

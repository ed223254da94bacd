"""The report on one run: its diagnoses and the notes of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnnlib.diagnosis.engine_notes import engine_notes
from cnnlib.diagnosis.rules import diagnose

if TYPE_CHECKING:
    from cnnlib.records.diagnosis import Diagnosis
    from cnnlib.records.run import Run
    from cnnlib.runs import RunStore


def diagnoses_of(store: RunStore, run: Run) -> list[Diagnosis]:
    """Diagnose a run in the store; the time does not grow with the length of the run."""
    epochs = store.epochs(run.id, confusions=False)
    return diagnose(run, store.sampled_steps(run.id), epochs)


def run_report(store: RunStore, run_id: str) -> dict[str, Any]:
    """Return diagnoses and engine notes as plain JSON values.

    Raises:
        StoreError: There is no such run.
    """
    run = store.run(run_id)
    return {
        "troubles": [diagnosis.to_dict() for diagnosis in diagnoses_of(store, run)],
        "explained": engine_notes(run, store.epochs(run_id, confusions=False)),
    }

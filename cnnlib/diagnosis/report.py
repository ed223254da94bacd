"""Everything that is told about one run in words: what is wrong, what was chosen and why."""

from __future__ import annotations

from typing import Any

from cnnlib.diagnosis.engine_notes import explained
from cnnlib.diagnosis.rules import find_troubles
from cnnlib.records.diagnosis import Trouble
from cnnlib.records.run import Run
from cnnlib.runs import RunStore


def troubles_of(store: RunStore, run: Run) -> list[Trouble]:
    """What is wrong with a run as it stands in the store; the price does not grow with it."""
    told = store.epochs(run.id, confusions=False)
    return find_troubles(run, store.sampled_steps(run.id), told)


def words_about(store: RunStore, run_id: str) -> dict[str, Any]:
    """Troubles and explanations as plain JSON values.

    Raises:
        StoreError: There is no such run.
    """
    run = store.run(run_id)
    return {
        "run_id": run.id,
        "troubles": [trouble.to_dict() for trouble in troubles_of(store, run)],
        "explained": explained(run, store.epochs(run_id, confusions=False)),
    }

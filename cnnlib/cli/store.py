"""The store, a saved step of a run, and the network at that step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cnnlib.errors import StoreError
from cnnlib.records.folders import Folders

if TYPE_CHECKING:
    from cnnlib.nets.model import Network
    from cnnlib.records.events import WeightsSaved
    from cnnlib.records.run import Run
    from cnnlib.runs import RunStore


# The help of --step.
DEFAULT_STEP = "default: the best epoch that was restored, else the last saved step"


def run_at_step(
    run_id: str, step: int | None = None, *, to_continue: bool = False
) -> tuple[RunStore, Run, WeightsSaved]:
    """Return the store, a run, and the saved weights of a step.

    Args:
        step: None is the one that early stopping restored, or else the last saved one.
        to_continue: Require a checkpoint, from which training can continue; None is then the last
            checkpoint.

    Raises:
        StoreError: There is no such run, or the step is not on disk.
    """
    from cnnlib.runs.weight_files import KEPT, saved_weights

    store = existing_store(run_id)
    run = store.run(run_id)
    kinds = ("checkpoint",) if to_continue else KEPT
    return store, run, saved_weights(store, run_id, step, kinds)


def trained_net(store: RunStore, run: Run, saved: WeightsSaved) -> Network:
    """Build the run's network with saved weights, on the CPU, in evaluation mode.

    Raises:
        ProbeError: The file is damaged or missing.
    """
    from cnnlib.probe.weights import network, read_arrays

    return network(run.request.spec, read_arrays(store.folders.run(run.id) / saved.file))


def open_store() -> RunStore:
    """Open the store of the folders in the environment; create it where it is missing."""
    from cnnlib.runs import RunStore

    return RunStore()


def has_store() -> bool:
    """Whether the store exists."""
    folders = Folders.from_environment()
    return bool(folders.database) or (folders.runs / "cnnlab.db").exists()


def existing_store(run_id: str) -> RunStore:
    """Open the store that should hold a run.

    Raises:
        StoreError: There is no store.
    """
    if not has_store():
        raise StoreError(
            f"There is no run {run_id[:40]!r}: the folder {Folders.from_environment().runs} "
            "contains no runs yet. Train one, or set CNNLAB_RUNS to the folder with your runs."
        )
    return open_store()

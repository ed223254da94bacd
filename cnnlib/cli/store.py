"""The saved step of a run that a command works with, and the network at that step."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cnnlib.nets.model import Network
    from cnnlib.records.events import WeightsSaved
    from cnnlib.records.run import Run
    from cnnlib.runs import RunStore
from typing import TYPE_CHECKING

from cnnlib.errors import StoreError
from cnnlib.records.folders import Folders

if TYPE_CHECKING:
    from cnnlib.runs import RunStore


def run_at_step(
    run_id: str, step: int | None = None, *, to_continue: bool = False
) -> tuple[RunStore, Run, WeightsSaved]:
    """The store, a run in it, and its file with the weights of a step; None is the last one.

    Args:
        to_continue: Only a checkpoint will do: the run is to be continued from there.

    Raises:
        StoreError: There is no such run, or the step is not on disk; those that are, are named.
    """
    from cnnlib.runs.weight_files import KEPT, saved_weights

    store = existing_store(run_id)
    run = store.run(run_id)
    kinds = ("checkpoint",) if to_continue else KEPT
    return store, run, saved_weights(store, run_id, step, kinds)


def trained_net(store: RunStore, run: Run, saved: WeightsSaved) -> Network:
    """The run's network with saved weights, on the CPU, in evaluation mode.

    Raises:
        ProbeError: The file is damaged, or went away.
    """
    from cnnlib.probe.weights import network, read_arrays

    return network(run.request.spec, read_arrays(store.folders.run(run.id) / saved.file))


def open_store() -> RunStore:
    """The store of the folders that the environment names, created where there is none."""
    from cnnlib.runs import RunStore

    return RunStore()


def has_store() -> bool:
    """There is a store to look into."""
    folders = Folders.from_environment()
    return bool(folders.database) or (folders.runs / "cnnlab.db").exists()


def existing_store(run_id: str) -> RunStore:
    """The store that must be there because it holds a run.

    Raises:
        StoreError: There is none.
    """
    if not has_store():
        raise StoreError(
            f"There is no run {run_id[:40]!r}, because {Folders.from_environment().runs} holds no "
            "runs yet. Train one, or name the folder that holds it in CNNLAB_RUNS."
        )
    return open_store()

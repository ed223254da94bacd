"""Small requests and events for tests of the run store; no torch, no pictures."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from cnnlib.design.spec import CNNSpec
from cnnlib.records.events import EpochEnd, RunEnd, SplitResult, Started, StepMetrics, WeightsSaved
from cnnlib.records.folders import Folders
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest
from cnnlib.runs import RunStore, queue
from cnnlib.runs.database import WORKER_CONNECTIONS


def a_store(folder: Path, address: str = "") -> RunStore:
    """Open a store in a folder, or with its database at `address`, as a worker opens it."""
    folders = Folders(data=folder / "data", runs=folder / "runs", database=address)
    return RunStore(folders, WORKER_CONNECTIONS)


def a_request(epochs: int = 2, **fields) -> RunRequest:
    defaults = {"spec": CNNSpec(channels=(4,)), "dataset": "digits"}
    return RunRequest(recipe=Recipe(epochs=epochs), **defaults | fields)


def started(total_steps: int = 20) -> Started:
    machine = {"processor": "abacus", "device": "cpu", "threads": 1, "versions": {"torch": "2"}}
    chosen = {"mode": "t1-nchw-fp32"}
    return Started(
        total_steps, total_steps // 2, "f00d", chosen, machine, {"seconds_per_epoch": 3.0}
    )


def a_step(step: int, loss: float = 1.0) -> StepMetrics:
    """The metrics of step number ``step``, 0.1 s after the step before."""
    return StepMetrics(step, loss, 0.1, 2.0, 640.0, step / 10)


def steps(first: int, last: int) -> list[StepMetrics]:
    return [a_step(step) for step in range(first, last + 1)]


def an_epoch(epoch: int, step: int, val_accuracy: float | None = 0.5) -> EpochEnd:
    counts = ((3, 1), (0, 4))
    return EpochEnd(epoch, step, 1 / epoch, 0.5, 0.8, val_accuracy, 1.0, 0.25, val_confusion=counts)


def a_checkpoint(step: int, *dropped: str) -> WeightsSaved:
    return WeightsSaved(step, f"checkpoint-{step}", "checkpoint", 4, tuple(dropped))


def the_end(state: str = "finished", step: int = 20) -> RunEnd:
    test = SplitResult(0.7, 0.75, 8, (0.75, None), ((3, 1), (0, 0)), "test.npz")
    return RunEnd(state, "", step, 2.0, 640.0, test, {"one": 0.001})


def a_stopped_end(step: int = 13) -> RunEnd:
    """The end of a run that was stopped in the middle of an epoch: validation 60 %, test 75 %."""
    validation = SplitResult(0.9, 0.6, 10, (0.6, None), ((6, 4), (0, 0)))
    return replace(the_end("stopped", step), validation=validation)


def a_running_run(store: RunStore, **fields) -> tuple[str, str]:
    """Add a run that has just started; return its id and its worker's (this process)."""
    worker_id = store.workers.register()
    run_id = submit_claimed(store, a_request(**fields), worker_id)
    store.record_events(run_id, worker_id, [started()])
    return run_id, worker_id


def submit_claimed(
    store: RunStore, request: RunRequest, worker_id: str, *, now: bool = False
) -> str:
    """Add a run that this worker has claimed, before a worker of the app could; return its id."""
    with store.database.write() as connection:
        run_id = queue.submit(connection, request, {}, first=now, owner=store.owner)
        assert queue.claim(connection, worker_id, run_id, None) is not None
    return run_id


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)

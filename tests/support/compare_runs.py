"""Finished runs with given results, without training, for tests of comparisons."""

from dataclasses import replace

import sqlalchemy as sa
from example_runs import a_step, a_store, an_epoch, started, submit_claimed, the_end

from cnnlib.design.spec import CNNSpec
from cnnlib.records.events import EpochEnd, RunEnd, SplitResult
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest
from cnnlib.runs import RunStore
from cnnlib.runs.tables import runs

__all__ = ["a_finished_run", "a_step", "a_store", "an_epoch", "finish", "started", "the_end"]

PICTURES = 1000  # of each split


def a_result(accuracy: float, predictions: str = "") -> SplitResult:
    """A test result over two classes of 500 pictures each."""
    right = round(accuracy * 500)
    counts = ((right, 500 - right), (500 - right, right))
    return SplitResult(0.5, accuracy, PICTURES, (accuracy, accuracy), counts, predictions)


def finish(
    store: RunStore,
    run_id: str,
    val: float = 0.9,
    test: float = 0.9,
    state: str = "finished",
    epochs: int = 2,
    chosen: dict | None = None,
    predictions: str = "",
    worker_id: str = "",
) -> None:
    """Act as the worker of a run: claim it unless one has, record its epochs, and end it."""
    if not worker_id:
        worker_id = store.workers.register()
        assert store.claim(worker_id, run_id) is not None
    epoch_events = [_epoch(number, val) for number in range(1, epochs + 1)]
    end = RunEnd(state, "", 10 * epochs, 2.0, 640.0, a_result(test, predictions), {"one": 0.001})
    begin = started(10 * epochs)
    begin = replace(begin, chosen=chosen) if chosen else begin
    store.record_events(run_id, worker_id, [begin, a_step(1), *epoch_events, end])
    store.workers.unregister(worker_id)


def a_finished_run(
    store: RunStore,
    val: float = 0.9,
    test: float = 0.9,
    *,
    channels: tuple[int, ...] = (4,),
    recipe: Recipe | None = None,
    **fields,
) -> str:
    """Add a run that ended with these accuracies; ``fields`` are fields of its request."""
    request_fields = {"dataset": "digits"} | fields
    recipe = recipe or Recipe(epochs=2)
    worker_id = store.workers.register()
    request = RunRequest(CNNSpec(channels=channels), recipe, **request_fields)
    run_id = submit_claimed(store, request, worker_id)
    plan_cost = {"params": 1000 * sum(channels), "macs": 10_000 * sum(channels)}  # round numbers
    with store.database.write() as connection:
        connection.execute(sa.update(runs).where(runs.c.id == run_id).values(plan_cost=plan_cost))
    finish(store, run_id, val, test, epochs=recipe.epochs, worker_id=worker_id)
    return run_id


def _epoch(number: int, val: float) -> EpochEnd:
    right = round(val * 500)
    counts = ((right, 500 - right), (500 - right, right))
    return EpochEnd(number, 10 * number, 1 / number, 0.5, 0.8, val, 1.0, 0.25, val_confusion=counts)

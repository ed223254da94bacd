"""Tests with a real worker pool and dataset: killed and paused runs that are resumed."""

import os
import signal
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

import pytest
from example_runs import a_store, wait_for

from cnnlib.design.spec import CNNSpec
from cnnlib.records.events import Command
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest
from cnnlib.runs import RunStore
from cnnlib.runs.places.local_place import LocalPlace

REQUEST = RunRequest(
    CNNSpec(channels=(6, 16), kernel_size=5, hidden_dims=(64,)),
    Recipe(epochs=7, batch_size=32, lr=0.003),
    "digits",
    mode="t1-nchw-fp32",
)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Generator[RunStore]:
    with closing(a_store(tmp_path_factory.mktemp("lab"))) as store:
        yield store


@pytest.fixture(scope="module")
def pool(store) -> Generator[LocalPlace]:
    (store.folders.runs / "cnnlab.toml").write_text("[machine]\npause_minutes = 0.001\n")
    pool = LocalPlace(store.folders, count=1)
    pool.start()
    yield pool
    pool.shutdown()


@pytest.fixture(scope="module")
def whole(store, pool) -> str:
    """The run of the request that nothing interrupted."""
    run_id = store.submit(REQUEST)
    wait_for(lambda: not store.run(run_id).is_live, seconds=120)
    return run_id


def test_a_run_with_a_killed_worker_resumes_to_the_same_result(store, pool, whole):
    killed = store.submit(REQUEST)
    wait_for(lambda: store.run(killed).epoch >= 1, seconds=120)
    os.kill(pool.pids[0], signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    wait_for(lambda: store.run(killed).state == "lost", seconds=5)
    assert store.steps_after(killed)["step"] == list(range(1, store.run(killed).step + 1))
    store.resume(killed)
    wait_for(lambda: not store.run(killed).is_live, seconds=120)
    runs = [store.run(run_id) for run_id in (killed, whole)]
    assert [(run.state, run.attempt) for run in runs] == [("finished", 2), ("finished", 1)]
    assert runs[0].summary["test_accuracy"] >= 0.9
    first, second = (store.steps_after(run_id) for run_id in (killed, whole))
    assert first["step"] == second["step"] == list(range(1, runs[1].total_steps + 1))
    assert first["loss"] == second["loss"]
    assert [(e.epoch, e.val_loss) for e in store.epochs(killed)] == [
        (e.epoch, e.val_loss) for e in store.epochs(whole)
    ]
    assert _last_weights(store, killed) == _last_weights(store, whole)


def test_a_run_paused_while_others_wait_is_interrupted_and_can_be_resumed(store, whole):
    paused = store.submit(REQUEST)
    wait_for(lambda: store.run(paused).step >= 1, seconds=120)
    store.submit_command(paused, Command("pause"))
    wait_for(lambda: store.run(paused).state == "paused", seconds=60)
    waiting = store.submit(replace(REQUEST, recipe=replace(REQUEST.recipe, max_batches=1)))
    wait_for(lambda: store.run(paused).state == "interrupted", seconds=60)
    assert "paused for more than 0.001 min while other runs waited" in store.run(paused).reason
    wait_for(lambda: not store.run(waiting).is_live, seconds=120)
    store.resume(paused)
    wait_for(lambda: not store.run(paused).is_live, seconds=120)
    runs = [store.run(run_id) for run_id in (paused, waiting, whole)]
    assert [run.state for run in runs] == ["finished"] * 3
    assert store.steps_after(paused)["loss"] == store.steps_after(whole)["loss"]
    assert _last_weights(store, paused) == _last_weights(store, whole)


def _last_weights(store: RunStore, run_id: str) -> bytes:
    last = [saved for saved in store.saved_weights(run_id) if saved.what == "snapshot"][-1]
    return (store.folders.run(run_id) / last.file).read_bytes()

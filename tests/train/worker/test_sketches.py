"""Tests of sketches on a real worker: changed while they train, making room for runs, kept."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace

import pytest
from example_runs import a_store, wait_for

from cnnlib.design.spec import CNNSpec
from cnnlib.records.recipe import Recipe
from cnnlib.records.run import RunRequest
from cnnlib.runs import RunStore
from cnnlib.runs.places.local_place import LocalPlace

REQUEST = RunRequest(
    CNNSpec(channels=(6, 16), kernel_size=5, hidden_dims=(64,)),
    Recipe(epochs=1000, batch_size=32, lr=0.003),
    "digits",
)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Generator[RunStore]:
    with closing(a_store(tmp_path_factory.mktemp("lab"))) as store:
        yield store


@pytest.fixture(scope="module")
def pool(store) -> Generator[LocalPlace]:
    pool = LocalPlace(store.folders, count=1)
    pool.start()
    yield pool
    pool.shutdown()


@pytest.fixture
def sketch(store, pool) -> Generator[str]:
    """A sketch after its first steps. It is ended, so that the worker is free for the next one."""
    sketch = store.sketches.start("chrome", REQUEST)
    wait_for(lambda: store.run(sketch).step >= 20, seconds=120)
    yield sketch
    if (left := store.sketches.of_browser("chrome")) is not None:
        store.sketches.end(left.run.id)


def test_a_sketch_skips_the_trial_and_goes_on_with_another_design(store, sketch):
    assert "the trial was skipped" in store.run(sketch).chosen["reason"]
    wider = replace(REQUEST, spec=replace(REQUEST.spec, hidden_dims=(80,)))
    store.sketches.change(sketch, wider)
    wait_for(lambda: store.run(sketch).request.origin is not None, seconds=30)
    step = store.run(sketch).request.origin.step
    wait_for(lambda: store.run(sketch).step >= step + 10, seconds=30)
    steps = store.steps_after(sketch)["step"]
    assert steps == list(range(1, len(steps) + 1))
    assert store.run(sketch).request.spec.hidden_dims == (80,)
    assert {saved.step >= step for saved in store.saved_weights(sketch)} == {True}


def test_a_sketch_makes_room_for_a_run_and_goes_on_after_it(store, sketch):
    run_id = store.submit(replace(REQUEST, recipe=replace(REQUEST.recipe, epochs=2)))
    wait_for(lambda: store.run(run_id).state == "finished", seconds=120)
    step = store.run(sketch).step
    wait_for(lambda: store.run(sketch).step > step, seconds=30)


def test_a_kept_sketch_is_measured_on_the_test_split_only_then(store, sketch):
    recorded = [run.id for run in store.runs()]
    store.sketches.pause(sketch)
    wait_for(lambda: store.run(sketch).state == "paused", seconds=30)
    assert store.result(sketch) is None and sketch not in recorded
    store.sketches.keep(sketch)
    wait_for(lambda: store.run(sketch).state == "stopped", seconds=30)
    assert store.result(sketch).accuracy > 0.1
    assert [run.id for run in store.runs()] == [sketch, *recorded]


def test_a_paused_sketch_makes_one_step(store, sketch):
    store.sketches.pause(sketch)
    wait_for(lambda: store.run(sketch).state == "paused", seconds=30)
    step = store.run(sketch).step
    store.sketches.step(sketch)
    wait_for(lambda: store.run(sketch).step == step + 1, seconds=30)
    wait_for(lambda: store.run(sketch).state == "paused", seconds=30)
    store.sketches.end(sketch)
    wait_for(lambda: store.sketches.of_browser("chrome") is None, seconds=30)
    wait_for(lambda: store.run(sketch).state == "interrupted", seconds=30)

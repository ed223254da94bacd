"""Tests of the recorder: the loop never waits for the store, and no event is lost."""

import math
from collections.abc import Generator
from contextlib import closing

import pytest
from example_runs import a_running_run, a_step, a_store, steps, the_end, wait_for

from cnnlib.errors import StoreError
from cnnlib.records.events import Command
from cnnlib.runs import RunStore
from cnnlib.runs.event_writer import RunReassigned
from cnnlib.train.control import Control
from cnnlib.train.worker import recorder as recorder_module
from cnnlib.train.worker.recorder import Recorder


@pytest.fixture
def store(tmp_path, store_address) -> Generator[RunStore]:
    with closing(a_store(tmp_path, store_address)) as store:
        yield store


def test_everything_is_written_when_the_block_is_left(store):
    run_id, worker_id = a_running_run(store)
    with Recorder(store, run_id, worker_id, Control()) as recorder:
        for event in [*steps(1, 500), the_end()]:
            recorder.record(event)
    assert store.steps_after(run_id)["step"] == list(range(1, 501))
    assert store.run(run_id).state == "finished"


def test_steps_are_readable_while_the_loop_goes_on(store):
    run_id, worker_id = a_running_run(store)
    with Recorder(store, run_id, worker_id, Control()) as recorder:
        recorder.record(a_step(1))
        wait_for(lambda: store.run(run_id).step == 1)
        recorder.record(a_step(2))
        wait_for(lambda: store.run(run_id).step == 2)


def test_a_command_reaches_the_loop_while_there_is_nothing_to_write(store):
    run_id, worker_id = a_running_run(store)
    control = Control()
    with Recorder(store, run_id, worker_id, control):
        store.submit_command(run_id, Command("pause"))
        wait_for(lambda: control.pending)
    assert control.take().kind == "pause"


def test_a_command_reaches_the_loop_once(store):
    run_id, worker_id = a_running_run(store)
    control = Control()
    with Recorder(store, run_id, worker_id, control) as recorder:
        store.submit_command(run_id, Command("stop"))
        store.submit_command(run_id, Command("stop"))
        for event in steps(1, 50):
            recorder.record(event)
        wait_for(lambda: control.pending)
    assert [control.take().kind for _ in range(2)] == ["stop", "stop"]
    assert control.take() is None


class FailingStore:
    """A store whose opening or writing can be made to fail."""

    def __init__(self, store: RunStore, error: Exception) -> None:
        self.store, self.error, self.files = store, error, store.files
        self.opens, self.fails, self.failures = True, True, 0

    def watch_commands(self, run_id: str):
        if not self.opens:
            self.failures += 1
            raise self.error
        return self.store.watch_commands(run_id)

    def record_events(self, run_id, worker_id, events, received):
        if self.fails:
            self.failures += 1
            raise self.error
        return self.store.record_events(run_id, worker_id, events, received)


@pytest.fixture
def failing_store(store, monkeypatch) -> FailingStore:
    monkeypatch.setattr(recorder_module, "RETRY_SECONDS", 0.01)
    return FailingStore(store, StoreError("The disk is full."))


def test_events_of_failed_writes_are_written_later_in_order(store, failing_store):
    run_id, worker_id = a_running_run(store)
    with Recorder(failing_store, run_id, worker_id, Control()) as recorder:
        for event in steps(1, 10):
            recorder.record(event)
        wait_for(lambda: failing_store.failures > 1)
        recorder.record(a_step(11))
        failing_store.fails = False
        wait_for(lambda: store.run(run_id).step == 11)
    assert store.steps_after(run_id)["step"] == list(range(1, 12))


def test_opening_the_store_is_retried(store, failing_store):
    run_id, worker_id = a_running_run(store)
    failing_store.opens = failing_store.fails = False
    with Recorder(failing_store, run_id, worker_id, Control()) as recorder:
        recorder.record(a_step(1))
        wait_for(lambda: failing_store.failures > 1)
        failing_store.opens = True
        wait_for(lambda: store.run(run_id).step == 1)


def test_a_run_ends_when_too_many_events_are_pending(store, failing_store):
    run_id, worker_id = a_running_run(store)
    with Recorder(failing_store, run_id, worker_id, Control(), max_pending=5) as recorder:
        for event in steps(1, 5):
            recorder.record(event)
        wait_for(lambda: failing_store.failures > 0)
        with pytest.raises(StoreError, match="The disk is full"):
            recorder.record(a_step(6))
        recorder.record(the_end("failed", 5))  # the end is always accepted
        failing_store.fails = False
    run = store.run(run_id)
    assert (run.step, run.state) == (5, "failed")


def test_an_end_that_cannot_be_written_raises(store, failing_store):
    run_id, worker_id = a_running_run(store)
    with pytest.raises(StoreError, match="The disk is full"):
        with Recorder(
            failing_store, run_id, worker_id, Control(), final_retry_seconds=0.05
        ) as recorder:
            recorder.record(the_end())


def test_a_reassigned_run_ends_at_once(store):
    run_id, _ = a_running_run(store)
    control = Control()
    with pytest.raises(RunReassigned):
        with Recorder(store, run_id, "another worker", control) as recorder:
            recorder.record(a_step(1))
            wait_for(lambda: control.interrupted)
            recorder.record(a_step(2))
    assert store.steps_after(run_id)["step"] == []


def test_a_loss_that_explodes_is_recorded_like_any_other(store):
    run_id, worker_id = a_running_run(store)
    with Recorder(store, run_id, worker_id, Control()) as recorder:
        recorder.record(a_step(1, math.nan))
    assert store.steps_after(run_id)["loss"] == [None]
